#include "tokenizer/gguf_pre_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "core/quote.h"
#include "tokenizer/gguf_pre_split.h"

namespace llm::tokenizer {
namespace {

using core::Json;

// What the steps of Hugging Face's tokenizers match, as expressions.
constexpr std::string_view kByteLevel =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S))";
constexpr std::string_view kPunctuation = R"([\p{P}\$\+<=>\^~\|`]+)";
constexpr std::string_view kDigit = R"(\p{N})";
constexpr std::string_view kDigits = R"(\p{N}+)";

// Spellings of one thing; the second is the one of the table of pre-splits.
struct Spelling {
  std::string_view one, other;
};
constexpr Spelling kSpellings[] = {
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|)",
     R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|)"},
    {R"([!\"#$%&)", R"([!"#$%&)"},
};

// In the order of preference, where several names stand for one split.
constexpr std::string_view kNames[] = {"llama-bpe", "qwen2",        "gpt-2",          "starcoder",
                                       "falcon",    "deepseek-llm", "deepseek-coder", "deepseek-v3",
                                       "tekken",    "gpt-4o",       "smaug-bpe",      "qwen35",
                                       "bloom",     "viking",       "default"};

// Pipelines for which every converter writes a name whose split is not quite theirs.
struct Approximation {
  std::string_view name;
  /// Taken out of what tokenizer.json says, this gives the named split.
  std::string_view replaced, by;
  std::string_view difference;
};
constexpr Approximation kApproximations[] = {
    {"falcon", kDigits, "",
     "words are not cut once more at digits, which stand for some bytes of other scripts too"},
    {"deepseek-llm", kDigit, kDigits, "the digits of a number are not kept apart"},
};

std::string in_table_spelling(std::string expression) {
  for (const Spelling& spelling : kSpellings) {
    const auto at = expression.find(spelling.one);
    if (at != std::string::npos) expression.replace(at, spelling.one.size(), spelling.other);
  }
  return expression;
}

/// The steps as expressions, each isolating what it matches; an error for any other step.
Status collect(const Json& step, std::vector<std::string>& expressions) {
  const std::string type = step["type"];
  const auto unsupported = [&] {
    return core::unsupported("GGUF has no place for pre-tokenizer step {}",
                             core::quote(step.dump(), 400));
  };
  if (type == "Sequence") {
    for (const Json& inner : step["pretokenizers"]) {
      LLM_RETURN_IF_ERROR(collect(inner, expressions));
    }
    return {};
  }
  if (type == "ByteLevel") {
    if (step.value("add_prefix_space", false)) return unsupported();
    const auto use_regex = step.find("use_regex");
    const bool splits = use_regex == step.end() || use_regex->is_null() || use_regex->get<bool>();
    if (splits) expressions.emplace_back(kByteLevel);
    return {};
  }
  if (type == "Digits") {
    expressions.emplace_back(step["individual_digits"].get<bool>() ? kDigit : kDigits);
    return {};
  }
  if (type == "Punctuation" && step.value("behavior", "Isolated") == "Contiguous") {
    expressions.emplace_back(kPunctuation);
    return {};
  }
  if (type != "Split") return unsupported();
  const bool inverted = step["invert"].get<bool>();
  // An expression that covers every text may as well say what to keep.
  const bool isolates = step["behavior"] == (inverted ? "Removed" : "Isolated");
  if (!isolates || !step["pattern"].contains("Regex")) return unsupported();
  expressions.push_back(in_table_spelling(step["pattern"]["Regex"].get<std::string>()));
  return {};
}

bool same(const std::vector<std::string>& found, const std::vector<std::string_view>& named) {
  return std::equal(found.begin(), found.end(), named.begin(), named.end());
}

}  // namespace

Result<GgufPreName> find_gguf_pre_name(const Json& pre_tokenizer, bool ignore_merges) {
  std::vector<std::string> expressions;
  LLM_RETURN_IF_ERROR(collect(pre_tokenizer, expressions));
  for (const std::string_view name : kNames) {
    const GgufPreSplit* split = find_gguf_pre_split(name);
    if (split->ignore_merges == ignore_merges && same(expressions, split->expressions)) {
      return GgufPreName{name, {}};
    }
  }
  for (const Approximation& close : kApproximations) {
    std::vector<std::string> changed;
    for (const std::string& expression : expressions) {
      const std::string_view kept = expression == close.replaced ? close.by : expression;
      if (!kept.empty()) changed.emplace_back(kept);
    }
    if (!ignore_merges && same(changed, find_gguf_pre_split(close.name)->expressions)) {
      return GgufPreName{close.name, close.difference};
    }
  }
  for (const std::string_view name : kNames) {
    if (!same(expressions, find_gguf_pre_split(name)->expressions)) continue;
    return GgufPreName{name, ignore_merges ? "a word that is a token is merged all the same"
                                           : "a word that is a token is not merged"};
  }
  return core::unsupported("GGUF has no name for this pre-tokenizer (ignore_merges {}): {}",
                           ignore_merges,
                           core::quote(fmt::format("{}", fmt::join(expressions, " ; ")), 400));
}

}  // namespace llm::tokenizer
