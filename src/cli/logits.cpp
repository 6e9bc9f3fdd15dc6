// logits: the raw logits of a token sequence as JSON, for comparisons with other programs and of
// this one with itself.
#include <fmt/format.h>

#include <cstdio>
#include <string_view>

#include "cli/command.h"
#include "cli/model_options.h"

namespace llm::cli {
namespace {

struct LogitsOptions {
  ModelOptions model;
  std::vector<std::int32_t> tokens;
  bool all = false;
  bool step = false;
  std::int64_t chunk = 0;
};

// {"vocab_size":V,"logits":[[...],...]}: nine significant digits name every f32 uniquely.
void print_json(const std::vector<float>& logits, std::int64_t vocab_size) {
  fmt::memory_buffer out;
  const auto append = std::back_inserter(out);
  fmt::format_to(append, "{{\"vocab_size\":{},\"logits\":[", vocab_size);
  const auto row_length = static_cast<std::size_t>(vocab_size);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const std::string_view separator = i % row_length != 0 ? "," : i == 0 ? "[" : "],[";
    fmt::format_to(append, "{}{:.9g}", separator, logits[i]);
    if (out.size() < std::size_t{1} << 20) continue;
    std::fwrite(out.data(), 1, out.size(), stdout);
    out.clear();
  }
  fmt::format_to(append, "]]}}\n");
  std::fwrite(out.data(), 1, out.size(), stdout);
}

int run(const LogitsOptions& options) {
  auto engine = load_model(options.model);
  if (!engine) return report(engine.error());
  const std::int64_t chunk = options.step ? 1 : options.chunk;
  const auto logits = (*engine)->logits(options.tokens, chunk, options.all);
  if (!logits) return report(logits.error());
  for (const float logit : *logits) {
    if (logit - logit != 0.0F) {  // NaN or infinity, which JSON cannot hold
      return report({StatusCode::internal, "the logits are not all finite numbers"});
    }
  }
  print_json(*logits, (*engine)->info().capabilities.vocab_size);
  return kExitOk;
}

}  // namespace

void add_logits_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<LogitsOptions>();
  CLI::App* command =
      app.add_subcommand("logits", "Prints the logits after a token sequence as JSON.");
  add_model_options(*command, options->model);
  command->add_option("--tokens", options->tokens, "Token ids, e.g. 1,2,3")
      ->required()
      ->delimiter(',')
      ->type_name("IDS");
  command->add_flag("--all", options->all, "Logits of every position, not only of the last one");
  CLI::Option* step = command->add_flag("--step", options->step, "Compute one token at a time");
  command->add_option("--chunk", options->chunk, "Compute in slices of N tokens")
      ->check(CLI::PositiveNumber)
      ->type_name("N")
      ->excludes(step);
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace llm::cli
