// The commands of the program. Each add_*_command() declares one subcommand with its options; when
// that subcommand is given, its callback runs it and sets `exit_code`: 0 ok, 1 error (one line
// "error: ..." on stderr), 2 bad usage. `exit_code` must outlive the parse.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "llm/status.h"

namespace llm::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitError = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitInterrupted = 130;  // 128 + SIGINT, as shells report it

void add_run_command(CLI::App& app, int& exit_code);
void add_serve_command(CLI::App& app, int& exit_code);
void add_logits_command(CLI::App& app, int& exit_code);
void add_tokenize_command(CLI::App& app, int& exit_code);
void add_template_command(CLI::App& app, int& exit_code);
void add_inspect_command(CLI::App& app, int& exit_code);
void add_bench_command(CLI::App& app, int& exit_code);
void add_perplexity_command(CLI::App& app, int& exit_code);
void add_verify_command(CLI::App& app, int& exit_code);
void add_synth_command(CLI::App& app, int& exit_code);
void add_quantize_command(CLI::App& app, int& exit_code);
void add_api_command(CLI::App& app, int& exit_code);
void add_info_command(CLI::App& app, int& exit_code);

/// Prints the error on stderr and returns kExitError; kExitOk for an ok status.
int report(const Status& status);
/// Prints what is wrong with the command line and returns kExitUsage.
int report_usage(const std::string& message);

}  // namespace llm::cli
