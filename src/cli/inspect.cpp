// inspect: what a model file holds, and what running it here would take.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "cli/command.h"
#include "cli/model_options.h"
#include "cli/network_report.h"
#include "core/json.h"
#include "core/quote.h"
#include "engine/describe_model.h"
#include "offline/inspect.h"

namespace llm::cli {
namespace {

using core::Json;

struct InspectOptions {
  std::string path;
  LoadOptions load;
  bool json = false;
};

std::vector<std::string_view> names(const std::vector<DType>& dtypes) {
  std::vector<std::string_view> result;
  for (const DType dtype : dtypes) result.push_back(to_string(dtype));
  return result;
}

Json capabilities_json(const ModelCapabilities& capabilities) {
  return {{"architecture_family", capabilities.architecture_family},
          {"dtype", to_string(capabilities.dtype)},
          {"kv_dtype", to_string(capabilities.kv_dtype)},
          {"supported_dtypes", names(capabilities.supported_dtypes)},
          {"is_quantized", capabilities.is_quantized},
          {"max_context_length", capabilities.max_context_length},
          {"vocab_size", capabilities.vocab_size},
          {"eos_tokens", capabilities.eos_tokens.ids()},
          {"parameters", capabilities.parameters}};
}

Json memory_json(const MemoryPlan& memory) {
  return {{"weights", memory.weights},   {"kv_per_token", memory.kv_per_token},
          {"kv_cache", memory.kv_cache}, {"scratch", memory.scratch},
          {"tables", memory.tables},     {"tokenizer", memory.tokenizer},
          {"program", memory.program},   {"total", memory.total()}};
}

Json tensor_json(const offline::TensorDescription& tensor) {
  Json shape = Json::array();
  for (std::size_t axis = 0; axis < tensor.shape.rank(); ++axis)
    shape.push_back(tensor.shape[axis]);
  return {{"name", tensor.name},
          {"dtype", to_string(tensor.dtype)},
          {"shape", std::move(shape)},
          {"bytes", tensor.bytes}};
}

void print_json(const offline::ModelDescription& model, const Result<ModelInfo>& plan,
                const Result<offline::NetworkDescription>& network) {
  Json json = {{"format", model.format},
               {"architecture", model.architecture},
               {"tensor_bytes", model.tensor_bytes},
               {"runnable", plan.has_value()}};
  for (const offline::FileDescription& file : model.files) {
    json["files"].push_back({{"path", file.path}, {"bytes", file.bytes}});
  }
  json["tensors"] = Json::array();
  for (const auto& tensor : model.tensors) json["tensors"].push_back(tensor_json(tensor));
  if (plan) {
    json["capabilities"] = capabilities_json(plan->capabilities);
    json["trained_context_length"] = plan->trained_context_length;
    json["max_sequences"] = plan->max_sequences;
    json["memory"] = memory_json(plan->memory);
  } else {
    json["error"] = plan.error().message();
  }
  if (network) json["network"] = network_json(*network);
  fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace));
}

void print_plan(const ModelInfo& info) {
  const ModelCapabilities& capabilities = info.capabilities;
  fmt::print("parameters      {}\n", capabilities.parameters);
  fmt::print("vocabulary      {} tokens, end tokens {}\n", capabilities.vocab_size,
             capabilities.eos_tokens.empty()
                 ? "none"
                 : fmt::format("{}", fmt::join(capabilities.eos_tokens.ids(), ", ")));
  fmt::print("context         {} (trained for {})\n", capabilities.max_context_length,
             info.trained_context_length);
  fmt::print("dtype           {} (can be loaded as {}), KV cache {}\n",
             to_string(capabilities.dtype), fmt::join(names(capabilities.supported_dtypes), ", "),
             to_string(capabilities.kv_dtype));
  fmt::print(
      "memory, bytes   weights {}, KV cache {} ({} per token, {} sequences), scratch {}, tables "
      "{}, "
      "tokenizer {}, program {}, total {}\n",
      info.memory.weights, info.memory.kv_cache, info.memory.kv_per_token, info.max_sequences,
      info.memory.scratch, info.memory.tables, info.memory.tokenizer, info.memory.program,
      info.memory.total());
}

void print_text(const offline::ModelDescription& model, const Result<ModelInfo>& plan,
                const Result<offline::NetworkDescription>& network) {
  fmt::print("format          {}\n", model.format);
  for (const offline::FileDescription& file : model.files) {
    fmt::print("file            {} ({} bytes)\n", file.path, file.bytes);
  }
  fmt::print("architecture    {}\n",
             model.architecture.empty() ? "not stated" : core::printable(model.architecture));
  if (plan) {
    print_plan(*plan);
  } else {
    fmt::print("cannot be run   {}\n", plan.error().message());
  }
  if (network) fmt::print("\n{}\n", network_text(*network));
  std::size_t width = 0;
  std::vector<std::string> shown;
  for (const auto& tensor : model.tensors) {
    shown.push_back(core::printable(tensor.name));
    width = std::max(width, shown.back().size());
  }
  fmt::print("tensors         {}, {} bytes\n", model.tensors.size(), model.tensor_bytes);
  for (std::size_t t = 0; t < model.tensors.size(); ++t) {
    const auto& tensor = model.tensors[t];
    fmt::print("  {:<{}}  {:<5} {} ({} bytes)\n", shown[t], width, to_string(tensor.dtype),
               tensor.shape.to_string(), tensor.bytes);
  }
}

int run(InspectOptions& options) {
  const auto model = offline::inspect_model(options.path);
  if (!model) return report(model.error());
  options.load.instruction_set = instruction_set_from_environment();
  const auto plan = engine::plan_model(options.path, options.load);
  // A value of the command line that is wrong is an error; a model that cannot run is a finding.
  if (!plan && plan.error().code() == StatusCode::invalid_argument) return report(plan.error());
  // GGUF keeps its types, and planning has said so already if another was asked for.
  const std::string dtype = model->format == "gguf" ? "" : options.load.dtype;
  const auto network = offline::describe_network(options.path, dtype);
  if (options.json) {
    print_json(*model, plan, network);
  } else {
    print_text(*model, plan, network);
  }
  return kExitOk;
}

}  // namespace

void add_inspect_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command = app.add_subcommand(
      "inspect", "Format, architecture, capabilities, tensors and memory plan of a model.");
  command->add_option("path", options->path, "Hugging Face directory or GGUF file")->required();
  add_load_options(*command, options->load);
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace llm::cli
