#include "cli/run_report.h"

#include <fmt/core.h>

namespace llm::cli {
namespace {

using core::Json;

std::string_view reason_name(StopReason reason) {
  switch (reason) {
    case StopReason::eos:
      return "EOS";
    case StopReason::max_tokens:
      return "MAX_TOKENS";
    case StopReason::stop_sequence:
      return "STOP_SEQUENCE";
    case StopReason::cancelled:
      return "CANCELLED";
    case StopReason::error:
      return "ERROR";
  }
  return "ERROR";
}

// The values that the generation really used.
Json effective_json(const StartEvent& start, const GenerationRequest& request) {
  const SamplingParams& sampling = start.sampling;
  Json effective = {{"max_tokens", start.max_tokens},
                    {"temperature", core::float_json(sampling.temperature)},
                    {"top_k", sampling.top_k},
                    {"top_p", core::float_json(sampling.top_p)},
                    {"min_p", core::float_json(sampling.min_p)},
                    {"repetition_penalty", core::float_json(sampling.repetition_penalty)},
                    {"repeat_last_n", sampling.repeat_last_n},
                    {"presence_penalty", core::float_json(sampling.presence_penalty)},
                    {"frequency_penalty", core::float_json(sampling.frequency_penalty)},
                    {"stop", request.stop}};
  if (sampling.seed) effective["seed"] = *sampling.seed;
  return effective;
}

double per_second(std::int64_t count, double ms) {
  return count > 0 && ms > 0 ? static_cast<double>(count) * 1000.0 / ms : 0.0;
}

}  // namespace

double prefill_tokens_per_s(const EndEvent& end) {
  return per_second(end.prompt_tokens - end.cached_tokens, end.prefill_ms);
}

double decode_tokens_per_s(const EndEvent& end) {
  const std::int64_t end_token = end.reason == StopReason::eos ? 1 : 0;
  return per_second(end.tokens_out - 1 + end_token, end.decode_ms);
}

Json run_json(const RunReport& run, const GenerationRequest& request, const ModelInfo& info) {
  Json json = {{"text", run.text},
               {"tokens", run.tokens},
               {"prompt_tokens", run.end.prompt_tokens},
               {"stop_reason", reason_name(run.end.reason)},
               {"dtype", to_string(info.capabilities.dtype)},
               {"kv_dtype", to_string(info.capabilities.kv_dtype)},
               {"effective", effective_json(run.start, request)},
               {"prefill_tokens_per_s", prefill_tokens_per_s(run.end)},
               {"decode_tokens_per_s", decode_tokens_per_s(run.end)}};
  if (run.end.reason == StopReason::stop_sequence) {
    json["stop_sequence_matched"] = run.end.stop_sequence;
  }
  return json;
}

std::string run_summary(const RunReport& run, const ModelInfo& info) {
  const EndEvent& end = run.end;
  return fmt::format(
      "[{}, {}: prompt {} tokens in {:.0f} ms ({:.1f} tokens/s); {} tokens in {:.0f} ms ({:.1f} "
      "tokens/s); stopped by {}; seed {}]",
      info.name, to_string(info.capabilities.dtype), end.prompt_tokens, end.prefill_ms,
      prefill_tokens_per_s(end), end.tokens_out, end.decode_ms, decode_tokens_per_s(end),
      reason_name(end.reason), run.start.sampling.seed.value_or(0));
}

}  // namespace llm::cli
