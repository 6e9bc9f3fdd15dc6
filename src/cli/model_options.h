// ModelOptions: the options that every command loading a model shares, and the environment variable
// LLM_ISA, which forces the instruction set of the kernels.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "llm/engine.h"

namespace llm::cli {

struct ModelOptions {
  std::string path;
  LoadOptions load;
};

/// Declares an option that takes a type of the KV cache, LoadOptions::kv_dtype.
void add_kv_dtype_option(CLI::App& command, const std::string& name, std::string& to);
/// Declares --dtype, --kv-dtype, --threads, --context and --device.
void add_load_options(CLI::App& command, LoadOptions& load);
/// The same, --model (required) and --packed-cache.
void add_model_options(CLI::App& command, ModelOptions& options);

/// Loads the model that the options name, with the instruction set from LLM_ISA when it is set.
Result<std::unique_ptr<Engine>> load_model(const ModelOptions& options);

/// Value of LLM_ISA; empty when unset.
std::string instruction_set_from_environment();

}  // namespace llm::cli
