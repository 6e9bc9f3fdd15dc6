// run: continues one prompt and streams the text to stdout.
#include <fmt/core.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <mutex>

#include "cli/chat_options.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/model_options.h"
#include "cli/run_report.h"
#include "core/error.h"

namespace llm::cli {
namespace {

struct RunOptions {
  ModelOptions model;
  std::optional<std::string> prompt;
  bool chat = false;
  std::optional<std::string> system;
  ChatOptions conversation;
  GenerationRequest request;
  bool json = false;
};

volatile std::sig_atomic_t interrupted = 0;

extern "C" void on_interrupt(int signal) {
  interrupted = 1;
  std::signal(signal, SIG_DFL);  // a second Ctrl-C ends the program at once
}

// Streams the text and keeps what the final report needs. Called on the engine thread; wait() on
// the main thread.
class RunObserver final : public GenerationObserver {
 public:
  explicit RunObserver(bool stream) : stream_(stream) {}

  void on_start(const StartEvent& event) override { report_.start = event; }

  void on_token(const TokenEvent& event) override {
    report_.tokens.push_back(event.id);
    report_.text += event.text;
    if (!stream_ || event.text.empty()) return;
    std::fwrite(event.text.data(), 1, event.text.size(), stdout);
    std::fflush(stdout);
  }

  void on_end(const EndEvent& event) override {
    const std::lock_guard lock(mutex_);
    report_.end = event;
    ended_ = true;
    changed_.notify_all();
  }

  /// True when the generation has ended, false after `patience`.
  bool wait(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [this] { return ended_; });
  }

  /// To be read after the end.
  const RunReport& report() const { return report_; }

 private:
  const bool stream_;
  RunReport report_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
};

int print_outcome(const RunOptions& options, const RunReport& run, const ModelInfo& info) {
  if (run.end.reason == StopReason::error) return report(run.end.error);
  if (options.json) {
    fmt::print("{}\n", run_json(run, options.request, info).dump());
  } else {
    // The text itself has no final newline; a terminal needs one before the next prompt.
    if (isatty(STDOUT_FILENO) != 0) fmt::print("\n");
    fmt::print(stderr, "{}\n", run_summary(run, info));
  }
  return run.end.reason == StopReason::cancelled ? kExitInterrupted : kExitOk;
}

bool is_conversation(const RunOptions& options) {
  return options.chat || options.conversation.messages_file.has_value();
}

Status check_chat_options(const RunOptions& options) {
  const ChatOptions& chat = options.conversation;
  if (chat.messages_file && (options.prompt || options.chat || options.system)) {
    return core::invalid_argument(
        "--messages is the whole conversation: --prompt, --chat and --system do not belong with "
        "it");
  }
  const bool chat_only = options.system || chat.tools_file || chat.documents_file ||
                         chat.template_kwargs || !chat.template_name.empty() ||
                         chat.continue_final_message;
  if (chat_only && !is_conversation(options)) {
    return core::invalid_argument(
        "--system, --tools, --documents, --template-kwargs, --template-name and --continue belong "
        "with --chat or --messages");
  }
  return {};
}

// What the model is given, as far as it can be read before the model is loaded.
Result<ChatRequest> read_input(RunOptions& options) {
  if (!is_conversation(options)) {
    LLM_ASSIGN_OR_RETURN(options.request.prompt, text_or_stdin(options.prompt));
    return ChatRequest();
  }
  LLM_ASSIGN_OR_RETURN(ChatRequest request, read_chat_request(options.conversation));
  if (options.chat) {
    LLM_ASSIGN_OR_RETURN(std::string text, text_or_stdin(options.prompt));
    std::vector<ChatMessage> messages;
    if (options.system) messages.push_back({.role = "system", .content = *options.system});
    messages.push_back({.role = "user", .content = std::move(text)});
    request.messages = chat_messages_json(messages);
  }
  return request;
}

Status set_prompt(RunOptions& options, const ChatRequest& conversation, const Engine& engine) {
  if (!is_conversation(options)) return {};
  LLM_ASSIGN_OR_RETURN(RenderedChat rendered, engine.render_chat(conversation));
  for (const std::string& name : rendered.unused_kwargs) {
    fmt::print(stderr, "warning: the chat template does not look at {}\n", name);
  }
  options.request.prompt = std::move(rendered.prompt);
  options.request.add_special = false;  // the template has written BOS
  return {};
}

int run(RunOptions& options) {
  if (Status status = options.request.sampling.validate(); !status.ok()) {
    return report_usage(status.message());
  }
  if (Status status = check_chat_options(options); !status.ok()) {
    return report_usage(status.message());
  }
  auto input = read_input(options);
  if (!input) return report(input.error());
  options.model.load.max_token_gap_ms = 0;  // no other stream waits for its next token
  auto engine = load_model(options.model);
  if (!engine) return report(engine.error());
  if (Status status = set_prompt(options, *input, **engine); !status.ok()) return report(status);

  const auto observer = std::make_shared<RunObserver>(!options.json);
  std::signal(SIGINT, on_interrupt);
  const auto id = (*engine)->submit(options.request, observer);
  if (!id) return report(id.error());
  constexpr std::chrono::milliseconds kPoll(50);
  bool cancelled = false;
  while (!observer->wait(kPoll)) {
    if (interrupted == 0 || cancelled) continue;
    cancelled = true;
    (*engine)->cancel(*id);
  }
  return print_outcome(options, observer->report(), (*engine)->info());
}

void add_sampling_options(CLI::App& command, SamplingParams& sampling) {
  command
      .add_option("--temperature", sampling.temperature,
                  "0 = always the likeliest token; up to 2 = more varied")
      ->capture_default_str();
  command.add_option("--top-k", sampling.top_k, "Keep the K likeliest tokens; 0 = all")
      ->capture_default_str();
  command
      .add_option("--top-p", sampling.top_p,
                  "Keep the fewest tokens whose probabilities sum to P; 1 = all")
      ->capture_default_str();
  command
      .add_option("--min-p", sampling.min_p,
                  "Drop tokens less likely than P times the likeliest; 0 = none")
      ->capture_default_str();
  command
      .add_option("--repetition-penalty", sampling.repetition_penalty,
                  "Above 1: tokens that occurred become less likely; 1 = off")
      ->capture_default_str();
  command
      .add_option("--repeat-last-n", sampling.repeat_last_n,
                  "Tokens that the repetition penalty looks back on; 0 = all")
      ->capture_default_str();
  command
      .add_option("--presence-penalty", sampling.presence_penalty,
                  "Subtracted from tokens that were generated before")
      ->capture_default_str();
  command
      .add_option("--frequency-penalty", sampling.frequency_penalty,
                  "Subtracted once per earlier occurrence among the generated tokens")
      ->capture_default_str();
  command.add_option("--seed", sampling.seed, "Random seed; absent = a new one, reported");
}

}  // namespace

void add_run_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* command = app.add_subcommand(
      "run", "Continues a prompt: text to stdout, statistics to stderr. Ctrl-C stops.");
  add_model_options(*command, options->model);
  command->add_option("--prompt", options->prompt, "Text to continue; absent = standard input")
      ->type_name("TEXT");
  command->add_flag("--chat", options->chat,
                    "The prompt is a user's message: answer it by the model's chat template");
  command->add_option("--system", options->system, "System message before it")->type_name("TEXT");
  add_chat_options(*command, options->conversation);
  command
      ->add_option("--max-tokens", options->request.max_tokens,
                   "Most tokens to generate; absent = up to the end of the context")
      ->check(CLI::PositiveNumber);
  add_sampling_options(*command, options->request.sampling);
  command
      ->add_option("--stop", options->request.stop,
                   "Text before which generation ends; may be given several times")
      ->allow_extra_args(false)
      ->type_name("TEXT");
  command->add_flag("--json", options->json, "Print one JSON object instead of streaming");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace llm::cli
