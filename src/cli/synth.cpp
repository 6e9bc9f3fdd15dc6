// synth: a model with random weights of a real shape.
#include "offline/synth.h"
#include "cli/command.h"
#include "core/error.h"
#include "core/quote.h"
#include "core/thread_pool.h"

namespace llm::cli {
namespace {

struct SynthCommandOptions {
  offline::SynthOptions synth;
  std::string dtype;
  std::string format;
  int threads = 0;
};

Status run(SynthCommandOptions& options) {
  const auto dtype = dtype_from_name(options.dtype);
  if (!dtype)
    return core::invalid_argument("Unsupported dtype: {}", core::printable(options.dtype));
  options.synth.dtype = *dtype;
  options.synth.format =
      options.format == "gguf" ? formats::FileFormat::gguf : formats::FileFormat::safetensors;
  options.synth.threads = options.threads > 0 ? options.threads : core::default_thread_count();
  return offline::synthesize(options.synth);
}

}  // namespace

void add_synth_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<SynthCommandOptions>();
  CLI::App* command = app.add_subcommand(
      "synth", "Writes a model with random weights of a real shape, for benchmarks and tests.");
  command->add_option("--arch", options->synth.architecture, "Architecture, e.g. llama")
      ->required();
  command->add_option("--shape", options->synth.shape, "Shape, e.g. tinyllama-1.1b")->required();
  command
      ->add_option("--dtype", options->dtype,
                   "f32, f16, bf16; for GGUF also q8_0, q4_0, q4_k, q6_k, ...")
      ->required();
  command->add_option("--format", options->format, "safetensors or gguf")
      ->required()
      ->check(CLI::IsMember({"safetensors", "gguf"}));
  command->add_option("--out", options->synth.out, "Directory (safetensors) or file (gguf)")
      ->required();
  command
      ->add_option("--context", options->synth.context,
                   "Longest sequence that the model states, in tokens; 0 = the shape's own")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 24));
  command->add_option("--seed", options->synth.seed, "Random seed")->capture_default_str();
  command->add_option("--threads", options->threads, "Threads; 0 = all that may be used")
      ->check(CLI::Range(0, 1024));
  command->callback([options, &exit_code] { exit_code = report(run(*options)); });
}

}  // namespace llm::cli
