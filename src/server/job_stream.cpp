#include "server/job_stream.h"

#include "server/job_events.h"

namespace llm::server {

void JobStream::start(std::function<void()> wake) { reader_ = job_->add_reader(std::move(wake)); }

StreamState JobStream::read(std::string& out) {
  constexpr std::size_t kTokensPerRead = 64;
  const Job::Events events = job_->events(next_token_, next_metrics_, kTokensPerRead);
  if (!events.started) return StreamState::waiting;
  if (!started_sent_) {
    append_event(out, started_event(*job_, job_->snapshot(false)));
    started_sent_ = true;
  }
  auto metrics = events.metrics.begin();
  for (const TokenEvent& token : events.tokens) {
    append_event(out, token_event(token));
    ++next_token_;
    while (metrics != events.metrics.end() && metrics->tokens <= next_token_) {
      // A stream from a later token on does not repeat the measurements before it.
      if (metrics->tokens > from_token_) append_event(out, metrics_event(*job_, *metrics));
      ++metrics;
    }
  }
  next_metrics_ += static_cast<std::size_t>(metrics - events.metrics.begin());
  if (events.complete) {
    append_event(out, final_event(*job_->snapshot(false).end));
    append_done(out);
    return StreamState::finished;
  }
  return events.tokens.size() == kTokensPerRead ? StreamState::more : StreamState::waiting;
}

void JobStream::stop() { job_->remove_reader(reader_); }

}  // namespace llm::server
