#include "cli/model_options.h"

#include <cstdlib>

namespace llm::cli {

void add_model_options(CLI::App& command, ModelOptions& options) {
  command
      .add_option("--model", options.path,
                  "Hugging Face directory with safetensors, or a GGUF file")
      ->required()
      ->type_name("PATH");
  add_load_options(command, options.load);
  command
      .add_option("--packed-cache", options.load.packed_cache,
                  "File, or directory for files, that keeps the weights as the kernels want them: "
                  "written at the first start, mapped at the next")
      ->check([](const std::string& path) { return path.empty() ? "must not be empty" : ""; })
      ->type_name("PATH");
}

void add_load_options(CLI::App& command, LoadOptions& load) {
  command
      .add_option("--dtype", load.dtype,
                  "f32 (default), f16, bf16, or auto = as stored; GGUF keeps its own types")
      ->type_name("TYPE");
  add_kv_dtype_option(command, "--kv-dtype", load.kv_dtype);
  command.add_option("--threads", load.threads, "Threads; 0 = all that may be used")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  command
      .add_option("--context", load.context,
                  "Longest sequence in tokens; 0 = what the model states")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  command.add_option("--device", load.device, "Where to run")
      ->capture_default_str()
      ->type_name("NAME");
}

void add_kv_dtype_option(CLI::App& command, const std::string& name, std::string& to) {
  command
      .add_option(
          name, to,
          "Type of the KV cache: auto (default) = of the weights, f16 if those are quantised")
      ->check(CLI::IsMember({"auto", "f32", "f16", "bf16", "q8_0"}))
      ->type_name("TYPE");
}

Result<std::unique_ptr<Engine>> load_model(const ModelOptions& options) {
  LoadOptions load = options.load;
  load.instruction_set = instruction_set_from_environment();
  return llm::load_model(options.path, load);
}

std::string instruction_set_from_environment() {
  const char* name = std::getenv("LLM_ISA");
  return name == nullptr ? "" : name;
}

}  // namespace llm::cli
