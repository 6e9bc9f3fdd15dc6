#include "server/job_events.h"

#include <cmath>

#include "server/identity.h"

namespace llm::server {
namespace {

using core::Json;

Json token_logprob(const TokenLogprob& token) {
  Json bytes = Json::array();
  for (const char c : token.bytes) bytes.push_back(static_cast<unsigned char>(c));
  return {{"id", token.id},
          {"token", token.bytes},
          {"bytes", std::move(bytes)},
          {"logprob", logprob_json(token.logprob)}};
}

void add_counts(Json& json, const Job::Snapshot& snapshot) {
  json["tokens_out"] = snapshot.tokens;
  json["prompt_tokens"] = snapshot.end ? snapshot.end->prompt_tokens : snapshot.start.prompt_tokens;
}

}  // namespace

Json effective_json(const Job& job, const StartEvent& start) {
  const SamplingParams& sampling = start.sampling;
  Json bias = Json::object();
  for (const auto& [id, value] : sampling.logit_bias)
    bias[std::to_string(id)] = core::float_json(value);
  Json result = {{"max_tokens", start.max_tokens},
                 {"temperature", core::float_json(sampling.temperature)},
                 {"top_p", core::float_json(sampling.top_p)},
                 {"top_k", sampling.top_k},
                 {"min_p", core::float_json(sampling.min_p)},
                 {"repetition_penalty", core::float_json(sampling.repetition_penalty)},
                 {"repeat_last_n", sampling.repeat_last_n},
                 {"presence_penalty", core::float_json(sampling.presence_penalty)},
                 {"frequency_penalty", core::float_json(sampling.frequency_penalty)},
                 {"stop", job.settings().stop},
                 {"logprobs", job.settings().logprobs},
                 {"logit_bias", std::move(bias)}};
  if (sampling.seed) result["seed"] = *sampling.seed;
  return result;
}

Json logprob_json(float value) {
  constexpr float kImpossible = -9999.0F;
  return core::float_json(std::isfinite(value) ? value : kImpossible);
}

Json started_event(const Job& job, const Job::Snapshot& snapshot) {
  return {{"type", "started"},
          {"job_id", job.settings().id},
          {"model", job.settings().model},
          {"started_at", rfc3339(snapshot.started_at.value_or(snapshot.created_at))},
          {"dtype", job.settings().dtype},
          {"effective", effective_json(job, snapshot.start)},
          {"ignored", job.settings().ignored}};
}

Json token_event(const TokenEvent& token) {
  Json event = {{"type", "token"}, {"t", token.text}, {"i", token.index}};
  if (token.logprob) {
    Json top = Json::array();
    for (const TokenLogprob& other : token.alternatives) top.push_back(token_logprob(other));
    Json logprobs = token_logprob(*token.logprob);
    logprobs["top"] = std::move(top);
    event["logprobs"] = std::move(logprobs);
  }
  return event;
}

Json metrics_event(const Job& job, const JobMetrics& metrics) {
  return {{"type", "metrics"},
          {"tokens_per_sec", metrics.tokens_per_second},
          {"vram_bytes", job.settings().memory_bytes}};
}

Json final_event(const EndEvent& end) {
  if (end.reason == StopReason::cancelled || end.reason == StopReason::error) {
    const bool cancelled = end.reason == StopReason::cancelled;
    const std::string& message = end.error.message();
    return {{"type", "error"},
            {"code", job_error_code(cancelled ? StatusCode::cancelled : end.error.code())},
            {"message", !message.empty() ? message
                        : cancelled      ? "the job was cancelled"
                                         : "generation failed"}};
  }
  Json event = {{"type", "end"},
                {"tokens_out", end.tokens_out},
                {"decode_time_ms", end.decode_ms},
                {"prefill_time_ms", end.prefill_ms},
                {"prompt_tokens", end.prompt_tokens},
                {"cached_tokens", end.cached_tokens},
                {"stop_reason", wire_name(end.reason)}};
  if (end.reason == StopReason::stop_sequence) event["stop_sequence_matched"] = end.stop_sequence;
  return event;
}

Json job_summary(const Job& job, const Job::Snapshot& snapshot) {
  Json json = {{"job_id", job.settings().id},
               {"state", to_string(snapshot.state)},
               {"model", job.settings().model},
               {"created_at", rfc3339(snapshot.created_at)}};
  add_counts(json, snapshot);
  if (snapshot.started_at) json["started_at"] = rfc3339(*snapshot.started_at);
  if (snapshot.ended_at) json["ended_at"] = rfc3339(*snapshot.ended_at);
  return json;
}

Json job_status(const Job& job, const Job::Snapshot& snapshot, std::int64_t queue_position) {
  Json json = job_summary(job, snapshot);
  json["text"] = snapshot.text;
  if (snapshot.state == JobState::queued) json["queue_position"] = queue_position;
  if (!snapshot.end) return json;
  json["stop_reason"] = wire_name(snapshot.end->reason);
  const Json last = final_event(*snapshot.end);
  if (last["type"] == "error") {
    json["error"] = {{"code", last["code"]}, {"message", last["message"]}};
  }
  return json;
}

}  // namespace llm::server
