// Embeds the engine in a program: loads a model, submits a prompt, prints the text as it comes, and
// cancels when told to.
//
//   embed MODEL PROMPT [TOKENS]     cancels after that many tokens
#include <cstdint>
#include <cstdlib>
#include <future>
#include <iostream>
#include <limits>
#include <memory>

#include "llm/engine.h"

namespace {

// Events come on the engine's thread; the end is handed to the main thread.
class Printer final : public llm::GenerationObserver {
 public:
  explicit Printer(std::int64_t most_tokens) : most_tokens_(most_tokens) {}

  // The engine's thread may call before submit() has returned the id.
  void set_request(llm::Engine& engine, llm::RequestId id) { request_.set_value({&engine, id}); }

  void on_start(const llm::StartEvent&) override {}

  void on_token(const llm::TokenEvent& event) override {
    std::cout << event.text << std::flush;
    if (event.index + 1 != most_tokens_) return;
    const Request request = request_.get_future().get();
    request.engine->cancel(request.id);
  }

  void on_end(const llm::EndEvent& event) override { end_.set_value(event); }

  llm::EndEvent wait() { return end_.get_future().get(); }

 private:
  struct Request {
    llm::Engine* engine;
    llm::RequestId id;
  };

  std::int64_t most_tokens_;
  std::promise<Request> request_;
  std::promise<llm::EndEvent> end_;
};

int fail(const llm::Status& status) {
  std::cerr << "error: " << status.message() << "\n";
  return EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    std::cerr << "usage: embed MODEL PROMPT [TOKENS]\n";
    return 2;
  }
  const auto engine = llm::load_model(argv[1], {.dtype = "bf16"});
  if (!engine) return fail(engine.error());

  llm::GenerationRequest request;
  request.prompt = argv[2];
  request.max_tokens = 200;
  request.sampling.temperature = 0;  // greedy
  const std::int64_t most_tokens =
      argc == 4 ? std::atoll(argv[3]) : std::numeric_limits<std::int64_t>::max();

  const auto printer = std::make_shared<Printer>(most_tokens);
  const auto id = (*engine)->submit(request, printer);
  if (!id) return fail(id.error());
  printer->set_request(**engine, *id);

  const llm::EndEvent end = printer->wait();
  std::cout << "\n";
  if (end.reason == llm::StopReason::error) return fail(end.error);
  std::cerr << end.tokens_out << " tokens, "
            << (end.reason == llm::StopReason::cancelled ? "cancelled" : "complete") << "\n";
  return EXIT_SUCCESS;
}
