// Completion: one request of the OpenAI API while it is answered: its choices, each a job of its
// own, and what all of its replies and chunks say. Shared by the stream or reply that reads it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/json.h"
#include "server/completion_request.h"
#include "server/http_message.h"
#include "server/job.h"

namespace llm::server {

struct CompletionPrompt {
  std::int64_t tokens = 0;
  std::string echo;  ///< its text, when the answer begins with it
};

struct Completion {
  CompletionKind kind = CompletionKind::chat;
  std::string id;
  std::int64_t created = 0;  ///< Unix time
  std::string model;
  std::string fingerprint;
  std::vector<std::string> ignored;
  bool include_usage = false;
  bool logprobs = false;
  int alternatives = 0;
  bool echo = false;
  bool prompt_only = false;  ///< max_tokens 0: the one token that was made is not shown
  std::vector<CompletionPrompt> prompts;
  std::vector<std::shared_ptr<Job>> choices;  ///< in order of their index; n per prompt

  const CompletionPrompt& prompt_of(std::size_t choice) const {
    return prompts[choice / (choices.size() / prompts.size())];
  }
};

/// What went wrong, when a choice did not end well.
std::optional<Problem> problem_of(const EndEvent& end);

/// The readers of all choices of a completion: when they are removed, what has not ended is
/// cancelled.
class CompletionReaders {
 public:
  explicit CompletionReaders(const Completion& completion) : completion_(completion) {}
  void start(const std::function<void()>& wake);
  void stop();

 private:
  const Completion& completion_;
  std::vector<Wakeups::Id> ids_;
};

/// The whole answer at once, when all choices have ended; the error when one has failed.
class CompletionReply : public PendingReply {
 public:
  explicit CompletionReply(std::shared_ptr<const Completion> completion)
      : completion_(std::move(completion)), readers_(*completion_) {}

  void start(std::function<void()> wake) override { readers_.start(wake); }
  std::optional<HttpResponse> poll() override;
  void stop() override { readers_.stop(); }

 private:
  const std::shared_ptr<const Completion> completion_;
  CompletionReaders readers_;
};

/// The answer as chunks: of each choice the role (chat), content, and the reason of the end; then
/// the usage, if asked for, and [DONE]. After a failure an error event and no [DONE].
class CompletionStream : public StreamSource {
 public:
  explicit CompletionStream(std::shared_ptr<const Completion> completion)
      : completion_(std::move(completion)),
        readers_(*completion_),
        choices_(completion_->choices.size()) {}

  void start(std::function<void()> wake) override { readers_.start(wake); }
  StreamState read(std::string& out) override;
  void stop() override { readers_.stop(); }
  std::string_view ping() const override { return ": ping\n\n"; }

 private:
  struct Place {
    bool begun = false;
    std::int64_t next_token = 0;
    std::int64_t characters = 0;  ///< of the text so far
    bool ended = false;
  };

  void begin_choice(std::string& out, std::size_t choice);
  void send_choice(std::string& out, std::size_t choice, core::Json content, core::Json logprobs,
                   core::Json reason);
  void send(std::string& out, const core::Json& members);

  const std::shared_ptr<const Completion> completion_;
  CompletionReaders readers_;
  std::vector<Place> choices_;
  bool first_sent_ = false;
};

}  // namespace llm::server
