#include "engine/standalone_model.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "engine/load_tokenizer.h"
#include "engine/logit_metrics.h"
#include "models/config.h"

namespace llm::engine {

Result<StandaloneModel> StandaloneModel::open(const std::string& path) {
  StandaloneModel model;
  model.path_ = path;
  LLM_ASSIGN_OR_RETURN(formats::ModelFile file, formats::ModelFile::open(path));
  model.file_ = std::make_unique<formats::ModelFile>(std::move(file));
  LLM_ASSIGN_OR_RETURN(model.config_, models::read_config(*model.file_));
  LLM_ASSIGN_OR_RETURN(model.tokenizer_, load_tokenizer(*model.file_));
  return model;
}

Status StandaloneModel::load(const std::string& dtype, const std::string& kv_dtype,
                             const std::string& packed_cache, std::int64_t context,
                             const kernels::Ops& ops, core::ThreadPool& pool) {
  const models::DecoderOptions options{.dtype = dtype,
                                       .kv_dtype = kv_dtype,
                                       .context = context,
                                       .max_sequences = 1,
                                       .packed_cache = packed_cache,
                                       .on_progress = {}};
  LLM_ASSIGN_OR_RETURN(model_, models::load_decoder(*file_, options, ops, pool));
  pages_.resize(static_cast<std::size_t>(model_.decoder->cache().pages()));
  std::iota(pages_.begin(), pages_.end(), 0);
  return {};
}

Status StandaloneModel::check_tokens(std::span<const std::int32_t> tokens) const {
  for (const std::int32_t token : tokens) {
    if (token < 0 || token >= vocab_size()) {
      return core::invalid_argument("{}: the tokenizer gives token {}, expected an id in 0..{}",
                                    path_, token, vocab_size());
    }
  }
  return {};
}

models::SequenceRun StandaloneModel::start() { return {*model_.decoder, pages_}; }

Status visit_logits(std::span<StandaloneModel* const> models, std::span<const std::int32_t> tokens,
                    std::int64_t first, VisitLogits visit) {
  constexpr std::int64_t kSlice = 32;  // positions whose logits are in memory at once
  std::vector<models::SequenceRun> runs;
  for (StandaloneModel* model : models) {
    runs.push_back(model->start());
    if (first > 0) {
      LLM_RETURN_IF_ERROR(
          runs.back().extend(tokens.first(static_cast<std::size_t>(first)), 0, false).status());
    }
  }
  const auto end = static_cast<std::int64_t>(tokens.size());
  std::vector<std::vector<float>> logits(models.size());
  std::vector<std::span<const float>> rows(models.size());
  for (std::int64_t begin = first; begin < end; begin += kSlice) {
    const std::int64_t count = std::min(kSlice, end - begin);
    const auto slice =
        tokens.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count));
    for (std::size_t m = 0; m < models.size(); ++m) {
      LLM_ASSIGN_OR_RETURN(logits[m], runs[m].extend(slice, 0, true));
    }
    for (std::int64_t row = 0; row < count; ++row) {
      for (std::size_t m = 0; m < models.size(); ++m) {
        const auto vocab = static_cast<std::size_t>(models[m]->vocab_size());
        rows[m] = std::span(logits[m]).subspan(static_cast<std::size_t>(row) * vocab, vocab);
        if (!all_finite(rows[m])) {
          return core::internal_error("{}: the logits at position {} are not all finite numbers",
                                      models[m]->path(), begin + row);
        }
      }
      visit(begin + row, rows);
    }
  }
  return {};
}

}  // namespace llm::engine
