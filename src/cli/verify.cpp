// verify: how far two models lie apart that should compute the same.
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/input.h"
#include "cli/model_options.h"
#include "core/error.h"
#include "core/json.h"
#include "engine/compare_models.h"

namespace llm::cli {
namespace {

constexpr const char* kDefaultPrompts[] = {"Once upon a time", "The capital of France is",
                                           "def fibonacci(n):\n", "1, 2, 3, 5, 8,"};

struct VerifyOptions {
  engine::ComparedModel a, b;
  engine::CompareOptions compare;
  std::optional<std::string> file;
  std::optional<double> tolerance;
  bool json = false;
};

// Values that are not finite are written as null.
core::Json to_json(const engine::Perplexity& perplexity) {
  return {{"perplexity", perplexity.value()},
          {"standard_error", perplexity.standard_error()},
          {"tokens_scored", perplexity.tokens()}};
}

void print_json(const engine::CompareReport& report) {
  const engine::LogitDifference& difference = report.difference;
  core::Json json = {{"vocab_size", report.vocab_size},
                     {"dtype_a", to_string(report.dtype_a)},
                     {"dtype_b", to_string(report.dtype_b)},
                     {"kv_dtype_a", to_string(report.kv_dtype_a)},
                     {"kv_dtype_b", to_string(report.kv_dtype_b)},
                     {"tokenised_differently", report.tokenised_differently},
                     {"positions", difference.positions()},
                     {"agreement", difference.agreement()},
                     {"max_absolute_difference", difference.max_absolute()},
                     {"max_relative_difference", difference.max_relative()},
                     {"mean_kl", difference.mean_kl()},
                     {"max_kl", difference.max_kl()}};
  if (report.perplexity_a) json["text_a"] = to_json(*report.perplexity_a);
  if (report.perplexity_b) json["text_b"] = to_json(*report.perplexity_b);
  fmt::print("{}\n", json.dump(2));
}

void print_text(const engine::CompareReport& report) {
  const engine::LogitDifference& difference = report.difference;
  fmt::print("vocabulary           {} tokens in both\n", report.vocab_size);
  fmt::print("dtype                A {}, B {}\n", to_string(report.dtype_a),
             to_string(report.dtype_b));
  fmt::print("KV cache             A {}, B {}\n", to_string(report.kv_dtype_a),
             to_string(report.kv_dtype_b));
  if (report.tokenised_differently == 0) {
    fmt::print("tokenisation         equal\n");
  } else {
    fmt::print("tokenisation         {} texts differ (A's tokens are used)\n",
               report.tokenised_differently);
  }
  fmt::print("positions            {}\n", difference.positions());
  fmt::print("same likeliest token {:.2f}%\n", 100 * difference.agreement());
  fmt::print("logit difference     at most {:.3g}, relative {:.3g}\n", difference.max_absolute(),
             difference.max_relative());
  fmt::print("KL(A||B)             mean {:.3g}, at most {:.3g} nats\n", difference.mean_kl(),
             difference.max_kl());
  for (const auto& [name, perplexity] :
       {std::pair("A", report.perplexity_a), std::pair("B", report.perplexity_b)}) {
    if (!perplexity) continue;
    fmt::print("perplexity of {}      {:.4f} +/- {:.4f} ({} tokens scored)\n", name,
               perplexity->value(), perplexity->standard_error(), perplexity->tokens());
  }
}

Status run(VerifyOptions& options) {
  options.compare.instruction_set = instruction_set_from_environment();
  if (options.file) {
    LLM_ASSIGN_OR_RETURN(options.compare.text, text_file_or_stdin({}, options.file));
  } else if (options.compare.prompts.empty()) {
    options.compare.prompts.assign(std::begin(kDefaultPrompts), std::end(kDefaultPrompts));
  }
  LLM_ASSIGN_OR_RETURN(const engine::CompareReport report,
                       engine::compare_models(options.a, options.b, options.compare));
  if (options.json) {
    print_json(report);
  } else {
    print_text(report);
  }
  const double relative = report.difference.max_relative();
  if (options.tolerance && relative > *options.tolerance) {
    return core::invalid_argument("the largest relative logit difference {:.3g} exceeds {:.3g}",
                                  relative, *options.tolerance);
  }
  return {};
}

}  // namespace

void add_verify_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<VerifyOptions>();
  engine::CompareOptions& compare = options->compare;
  CLI::App* command = app.add_subcommand(
      "verify", "Compares the logits of two models, e.g. a checkpoint and its conversion.");
  command->add_option("a", options->a.path, "Hugging Face directory or GGUF file: the reference")
      ->required();
  command->add_option("b", options->b.path, "The model to compare; may be the same")->required();
  CLI::Option* prompt =
      command
          ->add_option("--prompt", compare.prompts,
                       "Compare on TEXT and A's greedy continuation; may be given several times")
          ->type_name("TEXT")
          ->allow_extra_args(false);
  command
      ->add_option("--file", options->file,
                   "Compare on this text instead, in windows as perplexity does, and measure both "
                   "perplexities")
      ->type_name("PATH")
      ->excludes(prompt);
  command->add_option("--dtype-a", options->a.dtype, "Type of A: f32 (default), f16, bf16, auto");
  command->add_option("--dtype-b", options->b.dtype, "Type of B");
  add_kv_dtype_option(*command, "--kv-dtype-a", options->a.kv_dtype);
  add_kv_dtype_option(*command, "--kv-dtype-b", options->b.kv_dtype);
  command->add_option("--max-tokens", compare.max_tokens, "Tokens of each continuation")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 20))
      ->type_name("N");
  command
      ->add_option("--context", compare.context, "Tokens of a window of --file; 0 = as perplexity")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  command->add_option("--threads", compare.threads, "Threads; 0 = all that may be used")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  command
      ->add_option("--tolerance", options->tolerance,
                   "Exit code 1 if the largest relative logit difference exceeds X")
      ->check(CLI::NonNegativeNumber)
      ->type_name("X");
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &exit_code] { exit_code = report(run(*options)); });
}

}  // namespace llm::cli
