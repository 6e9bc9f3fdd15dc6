// tokenize: text to a JSON array of token ids and back, with the tokenizer of a model.
#include <fmt/format.h>

#include <cstdio>

#include "cli/command.h"
#include "cli/input.h"
#include "core/error.h"
#include "core/json.h"
#include "engine/tokenize_file.h"

namespace llm::cli {
namespace {

struct TokenizeOptions {
  std::string model;
  std::optional<std::string> text;
  bool decode = false;
  bool no_special = false;
};

Result<std::vector<std::int32_t>> parse_ids(std::string_view text) {
  LLM_ASSIGN_OR_RETURN(const core::Json json, core::parse_json(text, "standard input"));
  if (!json.is_array()) {
    return core::invalid_argument("standard input: expected a JSON array of token ids");
  }
  std::vector<std::int32_t> ids;
  ids.reserve(json.size());
  for (const core::Json& item : json) {
    if (!item.is_number_unsigned() || item.get<std::uint64_t>() > INT32_MAX) {
      return core::invalid_argument("standard input: item {}: expected a token id", ids.size());
    }
    ids.push_back(item.get<std::int32_t>());
  }
  return ids;
}

Status encode(const TokenizeOptions& options) {
  LLM_ASSIGN_OR_RETURN(const std::string text, text_or_stdin(options.text));
  LLM_ASSIGN_OR_RETURN(const std::vector<std::int32_t> ids,
                       engine::tokenize_with(options.model, text, !options.no_special));
  fmt::print("[{}]\n", fmt::join(ids, ","));
  return {};
}

Status decode(const TokenizeOptions& options) {
  LLM_ASSIGN_OR_RETURN(const std::string json, text_or_stdin(options.text));
  LLM_ASSIGN_OR_RETURN(const std::vector<std::int32_t> ids, parse_ids(json));
  LLM_ASSIGN_OR_RETURN(const std::string text,
                       engine::detokenize_with(options.model, ids, !options.no_special));
  std::fwrite(text.data(), 1, text.size(), stdout);  // exactly the text: no final newline
  return {};
}

}  // namespace

void add_tokenize_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<TokenizeOptions>();
  CLI::App* command =
      app.add_subcommand("tokenize", "Prints the token ids of a text as a JSON array, or back.");
  command
      ->add_option("--model", options->model,
                   "Hugging Face directory, or a GGUF file; its weights are not read")
      ->required()
      ->type_name("PATH");
  command
      ->add_option("--text", options->text,
                   "Text to encode (with --decode: ids); absent = standard input, byte for byte")
      ->type_name("TEXT");
  command->add_flag("--decode", options->decode, "Turn a JSON array of ids into exactly its text");
  command->add_flag("--no-special", options->no_special,
                    "Add no BOS or EOS (with --decode: do not leave them out)");
  command->callback([options, &exit_code] {
    exit_code = report(options->decode ? decode(*options) : encode(*options));
  });
}

}  // namespace llm::cli
