// perplexity: how well a model predicts a text.
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/input.h"
#include "cli/model_options.h"
#include "core/error.h"
#include "core/json.h"
#include "engine/measure_perplexity.h"
#include "engine/text_windows.h"

namespace llm::cli {
namespace {

struct PerplexityOptions {
  ModelOptions model;
  std::optional<std::string> text;
  std::optional<std::string> file;
  bool json = false;
};

void print_json(const engine::PerplexityReport& report) {
  fmt::print("{}\n", core::Json({{"perplexity", report.perplexity.value()},
                                 {"standard_error", report.perplexity.standard_error()},
                                 {"tokens_scored", report.perplexity.tokens()},
                                 {"text_tokens", report.text_tokens},
                                 {"windows", report.windows},
                                 {"window_length", report.window_length},
                                 {"dtype", to_string(report.dtype)},
                                 {"kv_dtype", to_string(report.kv_dtype)}})
                         .dump(2));
}

Status run(const PerplexityOptions& options) {
  LoadOptions load = options.model.load;
  load.instruction_set = instruction_set_from_environment();
  LLM_ASSIGN_OR_RETURN(const std::string text, text_file_or_stdin(options.text, options.file));
  LLM_ASSIGN_OR_RETURN(const engine::PerplexityReport report,
                       engine::measure_perplexity(options.model.path, load, text));
  if (options.json) {
    print_json(report);
  } else {
    fmt::print(
        "perplexity {:.4f} +/- {:.4f} ({} tokens scored in {} windows of {}, dtype {}, KV cache "
        "{})\n",
        report.perplexity.value(), report.perplexity.standard_error(), report.perplexity.tokens(),
        report.windows, report.window_length, to_string(report.dtype), to_string(report.kv_dtype));
  }
  return {};
}

}  // namespace

void add_perplexity_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<PerplexityOptions>();
  CLI::App* command = app.add_subcommand(
      "perplexity",
      "Perplexity of a text: exp of the mean -log p of the tokens predicted by the second half of "
      "each window. Windows do not overlap; each begins with BOS where the model has one.");
  add_model_options(*command, options->model);
  command->get_option("--context")
      ->description("Tokens of a window; 0 = 512, or the model's context if that is less");
  CLI::Option* text = command->add_option("--text", options->text, "The text; absent = stdin");
  text->type_name("TEXT");
  command->add_option("--file", options->file, "File with the text")
      ->type_name("PATH")
      ->excludes(text);
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &exit_code] { exit_code = report(run(*options)); });
}

}  // namespace llm::cli
