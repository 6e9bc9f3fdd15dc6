// JobStream: a job's events as a server-sent event stream: started, token*, metrics in between, one
// of end and error, [DONE]. Starts at any token and may be made as often as wanted.
#pragma once

#include <memory>

#include "server/http_message.h"
#include "server/job.h"

namespace llm::server {

class JobStream : public StreamSource {
 public:
  JobStream(std::shared_ptr<Job> job, std::int64_t from_token)
      : job_(std::move(job)), from_token_(from_token), next_token_(from_token) {}

  void start(std::function<void()> wake) override;
  StreamState read(std::string& out) override;
  void stop() override;

 private:
  const std::shared_ptr<Job> job_;
  const std::int64_t from_token_;
  Wakeups::Id reader_ = 0;
  bool started_sent_ = false;
  std::int64_t next_token_;
  std::size_t next_metrics_ = 0;
};

}  // namespace llm::server
