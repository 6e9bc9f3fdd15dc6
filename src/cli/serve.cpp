// serve: the worker. Opens its port, loads the model, serves until SIGTERM or SIGINT, drains.
#include <fmt/core.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <map>
#include <thread>

#include "cli/command.h"
#include "cli/model_options.h"
#include "cli/serve_log.h"
#include "core/error.h"
#include "server/identity.h"
#include "server/server.h"
#include "server/url.h"

namespace llm::cli {
namespace {

constexpr const char* kKeyVariable = "LLORCH_API_TOKEN";

struct ServeOptions {
  ModelOptions model;
  server::ServerOptions server;
  std::string model_ref;
  std::string backend = "cpu";
  std::string hive_url;
  std::string queen_url;
  bool local_mode = false;
  std::int64_t job_ttl_s = 300;
  std::int64_t drain_timeout_s = 30;
  LogFormat log_format = LogFormat::pretty;
  core::LogLevel log_level = core::LogLevel::info;
};

// SIGTERM and SIGINT as something to wait for. Made before any thread, so that all inherit the
// mask.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    // Whoever read our standard error may leave; that must not end the worker.
    std::signal(SIGPIPE, SIG_IGN);
  }

  bool wait(std::chrono::milliseconds patience) const {
    const timespec time{.tv_sec = patience.count() / 1000,
                        .tv_nsec = patience.count() % 1000 * 1'000'000};
    return sigtimedwait(&set_, nullptr, &time) > 0;
  }

 private:
  sigset_t set_{};
};

// Puts what the flags and the environment say together, or says what contradicts.
Status settle(ServeOptions& options) {
  server::ServerOptions& to = options.server;
  if (options.backend != "cpu") {
    return core::invalid_argument("--backend {}: this build has the cpu backend only",
                                  options.backend);
  }
  std::string& device = options.model.load.device;
  if (device != "cpu" && device != "cpu:0" && device != "0") {
    return core::invalid_argument("--device {}: expected cpu, cpu:0 or 0", device);
  }
  device = "cpu";
  if (!options.hive_url.empty() && !options.queen_url.empty()) {
    return core::invalid_argument("--hive-url and --queen-url cannot both be given");
  }
  to.heartbeat.url = options.hive_url.empty() ? options.queen_url : options.hive_url;
  if (to.heartbeat.worker_id.empty()) to.heartbeat.worker_id = server::random_uuid();

  const char* variable = std::getenv(kKeyVariable);
  const std::string environment_key = variable == nullptr ? "" : variable;
  if (options.local_mode && !to.api_key.empty()) {
    return core::invalid_argument(
        "--local-mode serves without authentication: --api-key does not "
        "belong with it");
  }
  if (options.local_mode && !environment_key.empty()) {
    return core::invalid_argument(
        "--local-mode serves without authentication, but {} is set: "
        "unset it or drop the flag",
        kKeyVariable);
  }
  if (options.local_mode && !server::is_loopback_host(to.host)) {
    return core::invalid_argument("--local-mode listens on loopback addresses only (got --host {})",
                                  to.host);
  }
  if (to.api_key.empty()) to.api_key = environment_key;

  to.model_name = options.model_ref;
  to.model_aliases = {options.model.path};
  to.version = LLM_VERSION;
  to.job_limits.max_queue = options.model.load.max_queue;
  to.job_store.ttl = std::chrono::seconds(options.job_ttl_s);
  return server::validate(to);
}

// On the loading thread an exception would end the process without a word.
Result<std::unique_ptr<Engine>> load_guarded(const ModelOptions& options) {
  try {
    return load_model(options);
  } catch (const std::bad_alloc&) {
    return core::resource_exhausted("out of memory while loading {}", options.path);
  } catch (const std::exception& error) {
    return core::internal_error("loading {}: {}", options.path, error.what());
  }
}

int serve(ServeOptions options) {
  install_serve_log(options.log_format, options.log_level);
  if (const Status status = settle(options); !status.ok()) return report_usage(status.message());
  const StopSignals signals;
  auto started = server::Server::start(options.server);
  if (!started) return report(started.error());
  const std::unique_ptr<server::Server> server = std::move(started).value();

  std::atomic<bool> loading = true;
  Status failure;
  options.model.load.on_progress = [&](const LoadProgress& progress) {
    server->set_progress(progress);
  };
  std::thread loader([&] {
    auto engine = load_guarded(options.model);
    if (engine) {
      core::log(core::LogLevel::info, "model {} is ready", engine.value()->info().name);
      server->set_engine(std::shared_ptr<Engine>(std::move(engine).value()));
    } else {
      failure = engine.error();
      server->set_failed(failure);
    }
    loading = false;
  });

  constexpr std::chrono::milliseconds kLookAround{100};
  bool stop = false;
  while (!stop && loading) stop = signals.wait(kLookAround);
  if (!loading) {
    loader.join();
    if (!failure.ok()) {
      // Who watches the loading, and the hive, are told.
      server->drain(std::chrono::milliseconds(0));
      return report(failure);
    }
    while (!stop) stop = signals.wait(std::chrono::hours(1));
  }
  core::log(core::LogLevel::info, "stopping: jobs have {} s to finish", options.drain_timeout_s);
  server->drain(std::chrono::seconds(options.drain_timeout_s),
                [&] { return signals.wait(std::chrono::milliseconds(0)); });
  core::log(core::LogLevel::info, "stopped");
  // Loading cannot be interrupted, and nothing it has done so far needs to be undone.
  if (loading) std::_Exit(kExitOk);
  if (loader.joinable()) loader.join();
  return kExitOk;
}

void add_network_options(CLI::App& command, ServeOptions& options) {
  server::ServerOptions& to = options.server;
  command.add_option("--host", to.host, "Address to listen on; other than loopback needs a key")
      ->capture_default_str();
  command.add_option("--port", to.port, "Port to listen on; 0 = any free one")
      ->capture_default_str();
  command
      .add_option("--api-key", to.api_key,
                  fmt::format("Key that clients must send; also from {}", kKeyVariable))
      ->check([](const std::string& key) { return key.empty() ? "must not be empty" : ""; })
      ->type_name("KEY");
  command.add_flag("--local-mode", options.local_mode,
                   "Loopback only, without authentication, whatever the fleet uses");
  command
      .add_option("--cors-origin", to.cors_origins,
                  "Origin of web pages that may call; repeatable, * = any")
      ->type_name("URL");
  command.add_option("--max-connections", to.http.connections, "Connections open at once")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--max-body-bytes", to.http.body_bytes, "Largest request body")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

void add_engine_options(CLI::App& command, LoadOptions& load) {
  static const std::map<std::string, bool> kSwitch = {{"on", true}, {"off", false}};
  command.add_option("--max-sequences", load.max_sequences, "Jobs that run at once; 0 = chosen")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--max-queue", load.max_queue, "Jobs that may wait; beyond: 429")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--max-batch-rows", load.max_batch_rows, "Tokens of one step at most; 0 = chosen")
      ->check(CLI::NonNegativeNumber);
  command
      .add_option("--max-token-gap-ms", load.max_token_gap_ms,
                  "Longest pause of a running stream while prompts are processed; 0 = no limit")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--kv-cache", load.kv_cache_bytes,
                  "Memory of the KV cache, e.g. 4GiB; 0 = chosen")
      ->transform(CLI::AsSizeValue(false))
      ->type_name("SIZE");
  command
      .add_option("--max-weights", load.max_weights_bytes,
                  "Memory for the weights of all dtypes together that jobs may ask for, e.g. 6GiB; "
                  "0 = as much as fits")
      ->transform(CLI::AsSizeValue(false))
      ->type_name("SIZE");
  command
      .add_option("--prefix-cache", load.prefix_cache,
                  "Whether jobs that begin alike share the keys and values of their beginning")
      ->transform(CLI::CheckedTransformer(kSwitch))
      ->type_name("on|off")
      ->default_str("on");
}

void add_job_options(CLI::App& command, ServeOptions& options) {
  server::ServerOptions& to = options.server;
  command
      .add_option("--max-tokens-limit", to.job_limits.max_tokens_limit,
                  "Largest max_tokens of a job")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      .add_option("--max-prompt-chars", to.job_limits.max_prompt_chars,
                  "Longest prompt of a job in characters")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--job-ttl", options.job_ttl_s, "Seconds that an ended job is kept")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--drain-timeout", options.drain_timeout_s,
                  "Seconds that running jobs have to finish when the worker stops")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

void add_fleet_options(CLI::App& command, ServeOptions& options) {
  command.add_option("--worker-id", options.server.heartbeat.worker_id,
                     "Name in the heartbeat; random if not given");
  command.add_option("--model-ref", options.model_ref, "Name of the model on the wire");
  command.add_option("--backend", options.backend, "cpu")->capture_default_str();
  command.add_option("--hive-url", options.hive_url, "Where to send heartbeats (http only)")
      ->type_name("URL");
  command.add_option("--queen-url", options.queen_url, "The same, of a queen")->type_name("URL");
}

void add_log_options(CLI::App& command, ServeOptions& options) {
  static const std::map<std::string, LogFormat> kFormats = {{"pretty", LogFormat::pretty},
                                                            {"json", LogFormat::json}};
  static const std::map<std::string, core::LogLevel> kLevels = {
      {"debug", core::LogLevel::debug},
      {"info", core::LogLevel::info},
      {"warning", core::LogLevel::warning},
      {"error", core::LogLevel::error}};
  command.add_option("--log-format", options.log_format, "Of the log on stderr")
      ->transform(CLI::CheckedTransformer(kFormats));
  command.add_option("--log-level", options.log_level, "Least important lines that are logged")
      ->transform(CLI::CheckedTransformer(kLevels));
}

}  // namespace

void add_serve_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand("serve", "Serve a model over HTTP");
  add_model_options(*command, options->model);
  add_network_options(*command, *options);
  add_engine_options(*command, options->model.load);
  add_job_options(*command, *options);
  add_fleet_options(*command, *options);
  add_log_options(*command, *options);
  command->callback([options, &exit_code] { exit_code = serve(*options); });
}

}  // namespace llm::cli
