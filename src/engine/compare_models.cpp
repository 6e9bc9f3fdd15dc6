#include "engine/compare_models.h"

#include <algorithm>

#include "core/error.h"
#include "engine/describe_model.h"
#include "engine/standalone_model.h"
#include "engine/text_windows.h"

namespace llm::engine {
namespace {

using Tokens = std::vector<std::int32_t>;
using Rows = std::vector<std::span<const float>>;

// The models of a comparison and what is to be computed, before weights are read.
struct Comparison {
  StandaloneModel a, b;
  std::vector<Tokens> prompts;  // as A tokenises them
  std::optional<TextWindows> windows;
};

Status add_prompts(Comparison& run, const CompareOptions& options, CompareReport& report) {
  for (std::size_t i = 0; i < options.prompts.size(); ++i) {
    if (options.prompts[i].empty()) return core::invalid_argument("prompt {} is empty", i + 1);
    LLM_ASSIGN_OR_RETURN(Tokens tokens, run.a.tokenizer().encode(options.prompts[i]));
    LLM_ASSIGN_OR_RETURN(const Tokens other, run.b.tokenizer().encode(options.prompts[i]));
    if (tokens.empty()) return core::invalid_argument("prompt {} has no tokens", i + 1);
    if (tokens != other) ++report.tokenised_differently;
    LLM_RETURN_IF_ERROR(run.a.check_tokens(tokens));
    run.prompts.push_back(std::move(tokens));
  }
  return {};
}

Status add_text(Comparison& run, const CompareOptions& options, CompareReport& report) {
  if (!options.text) return {};
  LLM_ASSIGN_OR_RETURN(
      const std::int64_t length,
      window_length(options.context, std::min(run.a.max_positions(), run.b.max_positions())));
  LLM_ASSIGN_OR_RETURN(run.windows, TextWindows::create(run.a.tokenizer(), *options.text, length));
  LLM_RETURN_IF_ERROR(run.a.check_tokens(run.windows->tokens()));
  const auto other = TextWindows::create(run.b.tokenizer(), *options.text, length);
  if (!other || !std::ranges::equal(other->tokens(), run.windows->tokens())) {
    ++report.tokenised_differently;
  }
  return {};
}

// Appends A's likeliest tokens to the prompt.
Status continue_greedily(StandaloneModel& model, std::int64_t max_tokens, Tokens& tokens) {
  models::SequenceRun run = model.start();
  std::span<const std::int32_t> next = tokens;
  Tokens last(1);
  for (std::int64_t i = 0; i < max_tokens; ++i) {
    LLM_ASSIGN_OR_RETURN(const std::vector<float> logits, run.extend(next, 0, false));
    if (!all_finite(logits)) {
      return core::internal_error("{}: the logits at position {} are not all finite numbers",
                                  model.path(), tokens.size() - 1);
    }
    last[0] = likeliest_token(logits);
    tokens.push_back(last[0]);
    next = last;
  }
  return {};
}

Status compare_prompts(Comparison& run, std::int64_t max_tokens, CompareReport& report) {
  StandaloneModel* const models[] = {&run.a, &run.b};
  for (Tokens& tokens : run.prompts) {
    LLM_RETURN_IF_ERROR(continue_greedily(run.a, max_tokens, tokens));
    LLM_RETURN_IF_ERROR(
        visit_logits(models, tokens, 0, [&](std::int64_t /*position*/, const Rows& rows) {
          report.difference.add(rows[0], rows[1]);
        }));
  }
  return {};
}

Status compare_text(Comparison& run, CompareReport& report) {
  if (!run.windows) return {};
  StandaloneModel* const models[] = {&run.a, &run.b};
  report.perplexity_a.emplace();
  report.perplexity_b.emplace();
  for (std::int64_t i = 0; i < run.windows->count(); ++i) {
    const auto window = run.windows->window(i);
    LLM_RETURN_IF_ERROR(
        visit_logits(models, window.first(window.size() - 1), run.windows->first_scored(),
                     [&](std::int64_t position, const Rows& rows) {
                       const std::int32_t next = window[static_cast<std::size_t>(position) + 1];
                       report.difference.add(rows[0], rows[1]);
                       report.perplexity_a->add(negative_log_likelihood(rows[0], next));
                       report.perplexity_b->add(negative_log_likelihood(rows[1], next));
                     }));
  }
  return {};
}

// Positions of the longest sequence.
std::int64_t positions_needed(const Comparison& run, std::int64_t max_tokens) {
  std::int64_t positions = run.windows ? run.windows->length() : 0;
  for (const Tokens& tokens : run.prompts) {
    positions = std::max(positions, static_cast<std::int64_t>(tokens.size()) + max_tokens);
  }
  return positions;
}

}  // namespace

Result<CompareReport> compare_models(const ComparedModel& a, const ComparedModel& b,
                                     const CompareOptions& options) {
  LLM_RETURN_IF_ERROR(check_load_options({.threads = options.threads, .on_progress = {}}));
  LLM_ASSIGN_OR_RETURN(const kernels::Ops* ops, kernels::select_ops(options.instruction_set));
  LLM_ASSIGN_OR_RETURN(StandaloneModel model_a, StandaloneModel::open(a.path));
  LLM_ASSIGN_OR_RETURN(StandaloneModel model_b, StandaloneModel::open(b.path));
  if (model_a.vocab_size() != model_b.vocab_size()) {
    return core::invalid_argument("vocabularies differ in size: {} of {}, {} of {}",
                                  model_a.vocab_size(), a.path, model_b.vocab_size(), b.path);
  }
  CompareReport report;
  report.vocab_size = model_a.vocab_size();
  Comparison run{std::move(model_a), std::move(model_b), {}, {}};
  LLM_RETURN_IF_ERROR(add_prompts(run, options, report));
  LLM_RETURN_IF_ERROR(add_text(run, options, report));
  const std::int64_t positions = positions_needed(run, options.max_tokens);
  if (positions == 0) return core::invalid_argument("nothing to compare: no prompt and no text");

  core::ThreadPool pool(options.threads > 0 ? options.threads : core::default_thread_count());
  LLM_RETURN_IF_ERROR(run.a.load(a.dtype, a.kv_dtype, "", positions, *ops, pool));
  LLM_RETURN_IF_ERROR(run.b.load(b.dtype, b.kv_dtype, "", positions, *ops, pool));
  report.dtype_a = run.a.dtype();
  report.dtype_b = run.b.dtype();
  report.kv_dtype_a = run.a.kv_dtype();
  report.kv_dtype_b = run.b.kv_dtype();
  LLM_RETURN_IF_ERROR(compare_prompts(run, options.max_tokens, report));
  LLM_RETURN_IF_ERROR(compare_text(run, report));
  return report;
}

}  // namespace llm::engine
