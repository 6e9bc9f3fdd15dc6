// quantize: a model as a GGUF file with weights of fewer bits.
#include "offline/quantize.h"

#include <fmt/format.h>

#include <csignal>

#include "cli/command.h"
#include "core/json.h"
#include "core/thread_pool.h"
#include "offline/quant_mix.h"

namespace llm::cli {
namespace {

struct QuantizeCommandOptions {
  offline::QuantizeOptions quantize;
  int threads = 0;
  bool json = false;
};

volatile std::sig_atomic_t interrupted = 0;

extern "C" void on_quantize_interrupt(int signal) {
  interrupted = 1;
  std::signal(signal, SIG_DFL);  // a second Ctrl-C ends the program at once
}

double mebibytes(std::size_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

void print_tensor(const offline::QuantizedTensor& tensor) {
  const std::string note = tensor.instead_of
                               ? fmt::format(" instead of {}: rows are not a multiple of {}",
                                             to_string(*tensor.instead_of),
                                             dtype_info(*tensor.instead_of).block_elements)
                               : std::string();
  fmt::print(stderr, "[{:4}/{}] {:<32} {:<20} {:>5} -> {}{}, {:.2f} MiB\n", tensor.number,
             tensor.count, tensor.name, tensor.shape.to_string(), to_string(tensor.from),
             to_string(tensor.to), note, mebibytes(tensor.bytes));
}

void print_json(const offline::QuantizeOptions& options, const offline::QuantizeReport& report) {
  core::Json tensors = core::Json::object();
  for (const auto& [type, share] : report.shares) {
    tensors[std::string(to_string(type))] = {{"tensors", share.tensors}, {"bytes", share.bytes}};
  }
  fmt::print("{}\n", core::Json({{"input", options.input},
                                 {"output", options.output},
                                 {"type", report.type},
                                 {"pure", options.pure},
                                 {"tensors", tensors},
                                 {"fallbacks", report.fallbacks},
                                 {"elements", report.elements},
                                 {"tensor_bytes", report.tensor_bytes},
                                 {"bits_per_weight", report.bits_per_weight()},
                                 {"input_bytes", report.input_bytes},
                                 {"output_bytes", report.output_bytes},
                                 {"warnings", report.warnings}})
                         .dump(2));
}

void print_text(const offline::QuantizeOptions& options, const offline::QuantizeReport& report) {
  for (const auto& [type, share] : report.shares) {
    fmt::print("{:<7} {:5} tensors {:12.2f} MiB\n", to_string(type), share.tensors,
               mebibytes(share.bytes));
  }
  fmt::print("{}: {:.2f} MiB (from {:.2f} MiB), {:.2f} bits per weight\n", options.output,
             mebibytes(report.output_bytes), mebibytes(report.input_bytes),
             report.bits_per_weight());
}

int run(QuantizeCommandOptions& options) {
  offline::QuantizeOptions& quantize = options.quantize;
  if (auto mix = offline::find_quant_mix(quantize.type); !mix) {
    return report_usage(mix.error().message());
  }
  quantize.threads = options.threads > 0 ? options.threads : core::default_thread_count();
  quantize.on_tensor = print_tensor;
  quantize.should_stop = [] { return interrupted != 0; };
  std::signal(SIGINT, on_quantize_interrupt);
  std::signal(SIGTERM, on_quantize_interrupt);
  const auto result = offline::quantize(quantize);
  if (!result) {
    const int code = report(result.error());
    return result.error().code() == StatusCode::cancelled ? kExitInterrupted : code;
  }
  if (options.json) {
    print_json(quantize, *result);
  } else {
    print_text(quantize, *result);
  }
  return kExitOk;
}

}  // namespace

void add_quantize_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<QuantizeCommandOptions>();
  offline::QuantizeOptions& quantize = options->quantize;
  CLI::App* command = app.add_subcommand(
      "quantize",
      "Writes a model as a GGUF file of another type, which llama.cpp and others read as well.");
  command->add_option("input", quantize.input, "Hugging Face directory or GGUF file")->required();
  command->add_option("output", quantize.output, "GGUF file to write")->required();
  std::vector<std::string_view> names;
  for (const offline::QuantMix& mix : offline::quant_mixes()) names.push_back(mix.name);
  command
      ->add_option("--type", quantize.type,
                   fmt::format("{}; q4_k and q5_k mean the _m mixes", fmt::join(names, ", ")))
      ->required()
      ->type_name("TYPE");
  command->add_flag("--pure", quantize.pure,
                    "All matrices of one type, instead of more bits for some");
  command->add_flag("--allow-requantize", quantize.allow_requantize,
                    "Accept weights that are quantised already, at a loss");
  command->add_flag("--force", quantize.overwrite, "Overwrite the output");
  command->add_option("--threads", options->threads, "Threads; 0 = all that may be used")
      ->check(CLI::Range(0, 1024))
      ->type_name("N");
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace llm::cli
