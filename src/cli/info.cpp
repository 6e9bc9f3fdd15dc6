// info: what this build is and what this machine offers.
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/model_options.h"
#include "core/cpu_features.h"
#include "core/json.h"
#include "core/memory.h"
#include "core/thread_pool.h"
#include "offline/architectures.h"
#include "offline/instruction_sets.h"

namespace llm::cli {
namespace {

std::string compiler_name() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

core::Json architectures_json() {
  core::Json list = core::Json::array();
  for (const offline::ArchitectureNames& names : offline::list_architectures()) {
    list.push_back({{"family", names.family},
                    {"model_type", names.model_type},
                    {"hf_class", names.hf_class},
                    {"gguf_architecture", names.gguf_architecture}});
  }
  return list;
}

std::vector<std::string_view> architecture_families() {
  std::vector<std::string_view> families;
  for (const offline::ArchitectureNames& names : offline::list_architectures()) {
    if (families.empty() || families.back() != names.family) families.push_back(names.family);
  }
  return families;
}

int run(bool json) {
  const auto sets = offline::find_instruction_sets(instruction_set_from_environment());
  if (!sets) return report(sets.error());
  const std::size_t memory = core::available_memory().bytes;
  const int threads = core::default_thread_count();
  if (json) {
    fmt::print(
        "{}\n",
        core::Json(
            {{"version", LLM_VERSION},
             {"build", LLM_BUILD_TYPE},
             {"compiler", compiler_name()},
             {"cpu", core::cpu_model_name()},
             {"instruction_sets",
              {{"built", sets->built}, {"available", sets->available}, {"chosen", sets->chosen}}},
             {"architectures", architectures_json()},
             {"available_memory_bytes", memory},
             {"threads", threads}})
            .dump(2));
    return kExitOk;
  }
  fmt::print("llm-worker {} ({} build, {})\n", LLM_VERSION, LLM_BUILD_TYPE, compiler_name());
  fmt::print("processor         {}\n", core::cpu_model_name());
  fmt::print("threads           {}\n", threads);
  fmt::print("memory available  {} MiB\n", memory >> 20);
  fmt::print("instruction sets  chosen {}; this processor runs {}; this build has {}\n",
             sets->chosen, fmt::join(sets->available, ", "), fmt::join(sets->built, ", "));
  fmt::print("architectures     {}\n", fmt::join(architecture_families(), ", "));
  return kExitOk;
}

}  // namespace

void add_info_command(CLI::App& app, int& exit_code) {
  auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand(
      "info", "Version, build, instruction sets, memory and threads of this machine.");
  command->add_flag("--json", *json, "Print JSON");
  command->callback([json, &exit_code] { exit_code = run(*json); });
}

}  // namespace llm::cli
