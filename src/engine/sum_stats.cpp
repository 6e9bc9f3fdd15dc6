#include "engine/sum_stats.h"

#include <algorithm>

namespace llm::engine {
namespace {

void add(LatencyHistogram& sum, const LatencyHistogram& histogram) {
  for (std::size_t bucket = 0; bucket < sum.counts.size(); ++bucket) {
    sum.counts[bucket] += histogram.counts[bucket];
  }
  sum.total += histogram.total;
  sum.sum_seconds += histogram.sum_seconds;
}

}  // namespace

void add_totals(EngineStats& sum, const EngineStats& stats) {
  sum.prompt_tokens += stats.prompt_tokens;
  sum.cached_tokens += stats.cached_tokens;
  sum.generated_tokens += stats.generated_tokens;
  sum.computed_tokens += stats.computed_tokens;
  sum.preemptions += stats.preemptions;
  sum.timeouts += stats.timeouts;
  sum.refused += stats.refused;
  sum.steps += stats.steps;
  sum.failed_steps += stats.failed_steps;
  sum.step_seconds += stats.step_seconds;
  sum.decode_seconds += stats.decode_seconds;
  sum.decode_bytes += stats.decode_bytes;
  add(sum.first_token, stats.first_token);
  add(sum.token_gap, stats.token_gap);
}

void add_gauges(EngineStats& sum, const EngineStats& stats) {
  sum.running += stats.running;
  sum.waiting += stats.waiting;
  sum.preempted += stats.preempted;
  sum.kv_pages_total += stats.kv_pages_total;
  sum.kv_pages_used += stats.kv_pages_used;
  sum.kv_pages_cached += stats.kv_pages_cached;
  sum.estimated_wait_s = std::max(sum.estimated_wait_s, stats.estimated_wait_s);
}

}  // namespace llm::engine
