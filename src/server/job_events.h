// The JSON of a job on the wire: its stream events and its status object.
#pragma once

#include <cstdint>

#include "core/json.h"
#include "server/job.h"

namespace llm::server {

/// The sampling values in use. The seed is absent only when the job never started.
core::Json effective_json(const Job& job, const StartEvent& start);
/// A logprob as JSON: a token that cannot be drawn has probability 0, whose logarithm JSON cannot
/// write; it is -9999.
core::Json logprob_json(float value);

core::Json started_event(const Job& job, const Job::Snapshot& snapshot);
core::Json token_event(const TokenEvent& token);
core::Json metrics_event(const Job& job, const JobMetrics& metrics);
/// The end event, or the error event of a job that failed or was cancelled.
core::Json final_event(const EndEvent& end);

/// For GET /v1/jobs/{id}; `queue_position` is meant for queued jobs.
core::Json job_status(const Job& job, const Job::Snapshot& snapshot, std::int64_t queue_position);
/// For GET /v1/jobs: the short form.
core::Json job_summary(const Job& job, const Job::Snapshot& snapshot);

}  // namespace llm::server
