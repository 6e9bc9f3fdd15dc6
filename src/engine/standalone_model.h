// StandaloneModel: a model that computes one sequence at a time, without queue and engine thread;
// for measurements over its logits. Opened first (file, configuration, tokenizer), so that a wrong
// input is found before weights are read; then loaded. One thread uses it at a time.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/function_ref.h"
#include "core/thread_pool.h"
#include "formats/model_file.h"
#include "kernels/kernels.h"
#include "llm/status.h"
#include "models/load.h"
#include "models/sequence_run.h"
#include "tokenizer/tokenizer.h"

namespace llm::engine {

class StandaloneModel {
 public:
  static Result<StandaloneModel> open(const std::string& path);
  /// Loads the weights; types and file of packed weights as in LoadOptions; `context`: positions of
  /// the longest sequence, within the model's own. `ops` and `pool` must outlive this object.
  Status load(const std::string& dtype, const std::string& kv_dtype,
              const std::string& packed_cache, std::int64_t context, const kernels::Ops& ops,
              core::ThreadPool& pool);

  const std::string& path() const { return path_; }
  const tokenizer::Tokenizer& tokenizer() const { return *tokenizer_; }
  std::int64_t vocab_size() const { return config_.vocab_size; }
  std::int64_t max_positions() const { return config_.max_positions; }
  DType dtype() const { return model_.types.reported; }
  DType kv_dtype() const { return model_.types.kv; }
  /// ok, or which of `tokens` the model has no row for.
  Status check_tokens(std::span<const std::int32_t> tokens) const;

  /// A new sequence; it uses the same cache as the one before, which ends. After load().
  models::SequenceRun start();

 private:
  std::string path_;
  std::unique_ptr<formats::ModelFile> file_;
  std::unique_ptr<tokenizer::Tokenizer> tokenizer_;
  models::ModelConfig config_;
  models::LoadedModel model_;
  std::vector<std::int32_t> pages_;
};

/// One logits row of length vocab_size per model, at `position` of the sequence.
using VisitLogits =
    core::FunctionRef<void(std::int64_t position, const std::vector<std::span<const float>>& rows)>;

/// Runs `tokens` through all models side by side and visits positions [first, tokens.size()) in
/// order. Only a slice of the logits is in memory at a time. Logits that are not finite are an
/// error that names model and position.
Status visit_logits(std::span<StandaloneModel* const> models, std::span<const std::int32_t> tokens,
                    std::int64_t first, VisitLogits visit);

}  // namespace llm::engine
