#include "engine/measure_perplexity.h"

#include "core/error.h"
#include "engine/describe_model.h"
#include "engine/standalone_model.h"
#include "engine/text_windows.h"

namespace llm::engine {

Result<PerplexityReport> measure_perplexity(const std::string& path, const LoadOptions& load,
                                            std::string_view text) {
  LLM_RETURN_IF_ERROR(check_load_options(load));
  LLM_ASSIGN_OR_RETURN(const kernels::Ops* ops, kernels::select_ops(load.instruction_set));
  LLM_ASSIGN_OR_RETURN(StandaloneModel model, StandaloneModel::open(path));
  LLM_ASSIGN_OR_RETURN(const std::int64_t length,
                       window_length(load.context, model.max_positions()));
  LLM_ASSIGN_OR_RETURN(const TextWindows windows,
                       TextWindows::create(model.tokenizer(), text, length));
  LLM_RETURN_IF_ERROR(model.check_tokens(windows.tokens()));
  core::ThreadPool pool(load.threads > 0 ? load.threads : core::default_thread_count());
  LLM_RETURN_IF_ERROR(model.load(load.dtype, load.kv_dtype, load.packed_cache, length, *ops, pool));

  PerplexityReport report{.perplexity = {},
                          .dtype = model.dtype(),
                          .kv_dtype = model.kv_dtype(),
                          .text_tokens = static_cast<std::int64_t>(windows.tokens().size()),
                          .windows = windows.count(),
                          .window_length = length};
  StandaloneModel* const models[] = {&model};
  for (std::int64_t i = 0; i < windows.count(); ++i) {
    const auto window = windows.window(i);
    LLM_RETURN_IF_ERROR(
        visit_logits(models, window.first(window.size() - 1), windows.first_scored(),
                     [&](std::int64_t position, const std::vector<std::span<const float>>& rows) {
                       const std::int32_t next = window[static_cast<std::size_t>(position) + 1];
                       report.perplexity.add(negative_log_likelihood(rows[0], next));
                     }));
  }
  return report;
}

}  // namespace llm::engine
