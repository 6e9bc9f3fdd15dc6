// bench: how fast a model runs here, beside what the machine can do.
#include "engine/benchmark.h"

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/model_options.h"
#include "core/json.h"

namespace llm::cli {
namespace {

using core::Json;

struct BenchCommandOptions {
  ModelOptions model;
  engine::BenchmarkOptions benchmark;
  bool json = false;
};

void print_json(const engine::BenchmarkReport& report) {
  Json rows = Json::array();
  for (const engine::BenchmarkRow& row : report.rows) {
    rows.push_back({{"test", row.name},
                    {"batch", row.batch},
                    {"tokens", row.tokens},
                    {"tokens_per_s", row.median_tokens_per_s},
                    {"repetitions", row.tokens_per_s},
                    {"gb_per_s", row.gb_per_s},
                    {"gflop_per_s", row.gflop_per_s},
                    {"share_of_bandwidth", row.share_of_bandwidth},
                    {"share_of_peak", row.share_of_peak},
                    {"machine",
                     {{"read_gb_per_s", row.machine_gb_per_s},
                      {"peak_gflop_per_s", row.machine_gflop_per_s}}}});
  }
  fmt::print("{}\n", Json({{"model", report.info.name},
                           {"dtype", to_string(report.info.capabilities.dtype)},
                           {"kv_dtype", to_string(report.info.capabilities.kv_dtype)},
                           {"instruction_set", report.info.instruction_set},
                           {"threads", report.info.threads},
                           {"input_format", report.input_format},
                           {"rows", std::move(rows)}})
                         .dump(2));
}

void print_table(const engine::BenchmarkReport& report) {
  fmt::print("{}: {}, KV cache {}, {} threads, {} kernels\n", report.info.name,
             to_string(report.info.capabilities.dtype),
             to_string(report.info.capabilities.kv_dtype), report.info.threads,
             report.info.instruction_set);
  fmt::print("limits of the machine measured between the runs, with {} inputs\n\n",
             report.input_format);
  fmt::print("{:<18} {:>10} {:>24} {:>26}\n", "test", "tokens/s", "GB/s", "GFLOP/s");
  for (const engine::BenchmarkRow& row : report.rows) {
    fmt::print(
        "{:<18} {:>10.2f} {:>8.2f} ({:>4.0f}% of {:>5.1f}) {:>9.1f} ({:>4.0f}% of {:>6.0f})\n",
        row.name, row.median_tokens_per_s, row.gb_per_s, 100 * row.share_of_bandwidth,
        row.machine_gb_per_s, row.gflop_per_s, 100 * row.share_of_peak, row.machine_gflop_per_s);
  }
}

int run(const BenchCommandOptions& options) {
  LoadOptions load = options.model.load;
  load.instruction_set = instruction_set_from_environment();
  const auto result = engine::run_benchmark(options.model.path, load, options.benchmark);
  if (!result) return report(result.error());
  if (options.json) {
    print_json(*result);
  } else {
    print_table(*result);
  }
  return kExitOk;
}

}  // namespace

void add_bench_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<BenchCommandOptions>();
  engine::BenchmarkOptions& benchmark = options->benchmark;
  CLI::App* command = app.add_subcommand(
      "bench", "Measures prompt processing and decoding beside the machine's own limits.");
  add_model_options(*command, options->model);
  command->add_option("-p,--prompt-tokens", benchmark.prompt, "Tokens of the prompt; 0 = skip")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command->add_option("-n,--generate-tokens", benchmark.generate, "Tokens to decode; 0 = skip")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("-d,--depth", benchmark.depth,
                   "Tokens that every sequence already has in its context")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command->add_option("-b,--batch", benchmark.batches, "Sequences decoded at once, e.g. 1,8")
      ->capture_default_str()
      ->delimiter(',')
      ->check(CLI::Range(1, 512));
  command->add_option("--repetitions", benchmark.repetitions, "Runs per row; the median counts")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace llm::cli
