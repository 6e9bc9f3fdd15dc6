// llm-worker: parses the command line, installs the log sink, and turns whatever goes wrong into
// one line on stderr and an exit code.
#include <fmt/core.h>

#include <cstdio>
#include <exception>
#include <mutex>
#include <string_view>

#include "cli/command.h"
#include "core/log.h"

namespace llm::cli {
namespace {

constexpr std::string_view kLevelNames[] = {"debug", "info", "warning", "error"};

void install_log_sink(core::LogLevel lowest) {
  set_log_sink([lowest](core::LogLevel level, std::string_view message) {
    if (level < lowest) return;
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    fmt::print(stderr, "{}: {}\n", kLevelNames[static_cast<int>(level)], message);
  });
}

int run_program(int argc, char** argv) {
  CLI::App app("Runs and serves large language models.", "llm-worker");
  app.set_version_flag("--version", LLM_VERSION);
  bool verbose = false;
  app.add_flag("-v,--verbose", verbose, "Show informational log lines on stderr");
  app.require_subcommand(1);
  app.fallthrough();
  install_log_sink(core::LogLevel::warning);
  app.parse_complete_callback([&] {
    if (verbose) install_log_sink(core::LogLevel::info);
  });

  int exit_code = kExitOk;
  add_run_command(app, exit_code);
  add_serve_command(app, exit_code);
  add_logits_command(app, exit_code);
  add_tokenize_command(app, exit_code);
  add_template_command(app, exit_code);
  add_inspect_command(app, exit_code);
  add_bench_command(app, exit_code);
  add_perplexity_command(app, exit_code);
  add_verify_command(app, exit_code);
  add_synth_command(app, exit_code);
  add_quantize_command(app, exit_code);
  add_api_command(app, exit_code);
  add_info_command(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // --help and --version end the parse with exit code 0 and print their text.
    if (error.get_exit_code() == 0) return app.exit(error);
    return report_usage(fmt::format("{} (see llm-worker --help)", error.what()));
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    return report({StatusCode::io_error, "standard output could not be written"});
  }
  return exit_code;
}

}  // namespace
}  // namespace llm::cli

int main(int argc, char** argv) {
  try {
    return llm::cli::run_program(argc, argv);
  } catch (const std::bad_alloc&) {
    return llm::cli::report({llm::StatusCode::resource_exhausted, "out of memory"});
  } catch (const std::exception& error) {
    return llm::cli::report({llm::StatusCode::internal, error.what()});
  }
}
