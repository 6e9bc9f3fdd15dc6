#include "server/metrics.h"

#include <fmt/format.h>

#include "core/memory.h"

namespace llm::server {
namespace {

void describe_metric(std::string& out, std::string_view name, std::string_view type,
                     std::string_view help) {
  out += fmt::format("# HELP llm_worker_{0} {2}\n# TYPE llm_worker_{0} {1}\n", name, type, help);
}

template <class Number>
void add(std::string& out, std::string_view name, std::string_view type, std::string_view help,
         Number value) {
  describe_metric(out, name, type, help);
  out += fmt::format("llm_worker_{} {}\n", name, value);
}

void add_histogram(std::string& out, std::string_view name, std::string_view help,
                   const LatencyHistogram& histogram) {
  describe_metric(out, name, "histogram", help);
  std::uint64_t below = 0;
  for (std::size_t b = 0; b < LatencyHistogram::kBounds.size(); ++b) {
    below += histogram.counts[b];
    out += fmt::format("llm_worker_{}_bucket{{le=\"{}\"}} {}\n", name, LatencyHistogram::kBounds[b],
                       below);
  }
  out += fmt::format(
      "llm_worker_{0}_bucket{{le=\"+Inf\"}} {1}\nllm_worker_{0}_sum {2}\n"
      "llm_worker_{0}_count {1}\n",
      name, histogram.total, histogram.sum_seconds);
}

void add_outcomes(std::string& out, const JobStore& jobs, std::uint64_t refused) {
  describe_metric(out, "requests_total", "counter",
                  "Requests that have ended, by outcome; refused: the queue was full.");
  const auto line = [&out](std::string_view outcome, std::uint64_t count) {
    out += fmt::format("llm_worker_requests_total{{outcome=\"{}\"}} {}\n", outcome, count);
  };
  line("eos", jobs.ended(StopReason::eos));
  line("max_tokens", jobs.ended(StopReason::max_tokens));
  line("stop_sequence", jobs.ended(StopReason::stop_sequence));
  line("cancelled", jobs.ended(StopReason::cancelled));
  line("error", jobs.ended(StopReason::error));
  line("refused", refused);
}

}  // namespace

std::string metrics_text(const ModelState::Snapshot& model, const JobStore& jobs) {
  const EngineStats now = model.engine ? model.engine->stats() : EngineStats();
  const bool healthy = model.engine && model.engine->health().ok();
  std::string out;
  add(out, "ready", "gauge", "1 when the model is loaded and the engine works.", healthy ? 1 : 0);
  add_outcomes(out, jobs, now.refused);
  add(out, "queue_depth", "gauge", "Requests that wait to start.", now.waiting);
  add(out, "running_sequences", "gauge", "Sequences in the batch.", now.running);
  add(out, "preempted_sequences", "gauge", "Sequences that gave their memory to others and wait.",
      now.preempted);
  add(out, "estimated_wait_seconds", "gauge",
      "Time until a request that is refused now might be accepted.", now.estimated_wait_s);
  add(out, "prompt_tokens_total", "counter", "Prompt tokens of requests that started.",
      now.prompt_tokens);
  add(out, "prefix_cache_hit_tokens_total", "counter",
      "Prompt tokens that were found in the prefix cache.", now.cached_tokens);
  add(out, "generated_tokens_total", "counter", "Tokens generated.", now.generated_tokens);
  add(out, "computed_tokens_total", "counter",
      "Rows of all steps, computed again after a preemption too.", now.computed_tokens);
  add(out, "preemptions_total", "counter", "Times that a sequence gave its memory to others.",
      now.preemptions);
  add(out, "timeouts_total", "counter", "Requests that ran out of their time.", now.timeouts);
  add(out, "steps_total", "counter", "Steps of the engine.", now.steps);
  add(out, "failed_steps_total", "counter", "Steps that failed.", now.failed_steps);
  add(out, "step_seconds_total", "counter", "Time spent in steps.", now.step_seconds);
  add_histogram(out, "time_to_first_token_seconds", "From a request's arrival to its first token.",
                now.first_token);
  add_histogram(out, "inter_token_seconds", "Between two tokens of a request.", now.token_gap);
  add(out, "kv_pages_total", "gauge", "Pages of the KV cache.", now.kv_pages_total);
  add(out, "kv_pages_used", "gauge", "Pages that running sequences use.", now.kv_pages_used);
  add(out, "kv_pages_cached", "gauge", "Pages kept for prompts that begin alike.",
      now.kv_pages_cached);
  add(out, "decode_bytes_total", "counter",
      "Bytes of weights, keys and values that steps which only decode had to read.",
      now.decode_bytes);
  add(out, "decode_seconds_total", "counter", "Time of these steps.", now.decode_seconds);
  add(out, "decode_bytes_per_second", "gauge", "Their quotient since the model was loaded.",
      now.decode_seconds > 0 ? now.decode_bytes / now.decode_seconds : 0.0);
  const core::ResidentMemory resident = core::resident_memory();
  add(out, "resident_memory_bytes", "gauge", "Resident memory of the process.",
      resident.anonymous + resident.file);
  return out;
}

}  // namespace llm::server
