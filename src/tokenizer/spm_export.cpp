#include "tokenizer/spm_export.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "core/error.h"
#include "core/quote.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"

namespace llm::tokenizer {
namespace {

using core::Json;

constexpr const char* kMark = "▁";
// What converters give to tokens that nothing merges into.
constexpr float kAddedScore = -1000.0F;
constexpr float kUnusedScore = -10000.0F;

Status unsupported_step(std::string_view kind, const Json& step) {
  return core::unsupported("GGUF has no place for {} {}", kind, core::quote(step.dump(), 400));
}

Status read_normalizer(const Json& step, SpmSpaces& spaces, bool& marks) {
  if (step.is_null()) return {};
  const std::string type = step["type"];
  if (type == "Sequence") {
    for (const Json& inner : step["normalizers"]) {
      LLM_RETURN_IF_ERROR(read_normalizer(inner, spaces, marks));
    }
    return {};
  }
  if (type == "Prepend" && step["prepend"] == kMark) {
    spaces.prefix = true;
    return {};
  }
  const bool replaces = type == "Replace" && step["content"] == kMark &&
                        step["pattern"].contains("String") && step["pattern"]["String"] == " ";
  if (!replaces) return unsupported_step("normalizer", step);
  marks = true;
  return {};
}

Status read_pre_tokenizer(const Json& step, SpmSpaces& spaces, bool& marks) {
  if (step.is_null()) return {};
  const std::string type = step["type"];
  // Spaces are marks by now, so a split at spaces does nothing.
  if (type == "Split" && marks && step["pattern"].contains("String") &&
      step["pattern"]["String"] == " ") {
    return {};
  }
  if (type != "Metaspace" || step["replacement"] != kMark) {
    return unsupported_step("pre-tokenizer", step);
  }
  marks = true;
  const bool has_scheme = step.contains("prepend_scheme") && step["prepend_scheme"].is_string();
  const std::string scheme = has_scheme ? step["prepend_scheme"].get<std::string>() : "always";
  const bool prefix = !step.contains("add_prefix_space") || step["add_prefix_space"].is_null() ||
                      step["add_prefix_space"].get<bool>();
  spaces.prefix = prefix && scheme != "never";
  const bool split =
      !step.contains("split") || step["split"].is_null() || step["split"].get<bool>();
  if (spaces.prefix) {
    spaces.difference = "with GGUF a text begins with one more space, also where it has one";
    if (scheme == "first") spaces.difference += " or follows a control token";
  }
  if (split) {
    if (!spaces.difference.empty()) spaces.difference += "; ";
    spaces.difference += "with GGUF tokens may reach over the beginning of a word";
  }
  return {};
}

/// What is wrong with the first token that could be made of two others in a way that no merge goes;
/// empty when there is none.
std::string missing_way(const std::vector<std::string>& tokens,
                        const std::vector<std::int32_t>& types,
                        const std::vector<MergeTexts>& merges) {
  std::unordered_set<std::string_view> pieces;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (types[id] == static_cast<std::int32_t>(TokenType::normal)) pieces.insert(tokens[id]);
  }
  std::unordered_map<std::string, std::vector<std::size_t>> cuts;  // of the tokens that merges make
  for (const MergeTexts& merge : merges) {
    cuts[merge.left + merge.right].push_back(merge.left.size());
  }
  for (const std::string& token : tokens) {
    if (!pieces.contains(token)) continue;
    const std::vector<std::size_t>& known = cuts[token];
    for (std::size_t cut = utf8_length(token[0]); cut < token.size();
         cut += utf8_length(token[cut])) {
      const std::string_view left = std::string_view(token).substr(0, cut);
      const std::string_view right = std::string_view(token).substr(cut);
      if (!pieces.contains(left) || !pieces.contains(right)) continue;
      if (std::find(known.begin(), known.end(), cut) != known.end()) continue;
      return fmt::format("{} and {} are not merged to {}, which GGUF's readers do",
                         core::quote(left), core::quote(right), core::quote(token));
    }
  }
  return {};
}

}  // namespace

std::vector<MergeTexts> merges_of(const Json& model) {
  std::vector<MergeTexts> merges;
  for (const Json& item : model["merges"]) {
    if (item.is_array()) {
      merges.push_back({item[0].get<std::string>(), item[1].get<std::string>()});
      continue;
    }
    const std::string_view line = item.get_ref<const std::string&>();
    if (line.starts_with("#version")) continue;
    const std::size_t space = line.find(' ');
    merges.push_back({std::string(line.substr(0, space)), std::string(line.substr(space + 1))});
  }
  return merges;
}

Result<SpmSpaces> spm_spaces(const Json& normalizer, const Json& pre_tokenizer) {
  SpmSpaces spaces;
  bool marks = false;
  LLM_RETURN_IF_ERROR(read_normalizer(normalizer, spaces, marks));
  LLM_RETURN_IF_ERROR(read_pre_tokenizer(pre_tokenizer, spaces, marks));
  if (!marks) {
    return core::unsupported("GGUF has no place for a vocabulary whose spaces are not marked by {}",
                             core::quote(kMark));
  }
  return spaces;
}

SpmScores spm_scores(const std::vector<std::string>& tokens, const std::vector<std::int32_t>& types,
                     const std::vector<MergeTexts>& merges) {
  SpmScores result{.scores = {}, .difference = missing_way(tokens, types, merges)};
  std::unordered_map<std::string, float> of_merged;
  std::string last;
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    std::string token = merges[rank].left + merges[rank].right;
    const bool is_new = of_merged.emplace(token, -static_cast<float>(rank)).second;
    if (!is_new && token != last && result.difference.empty()) {
      result.difference = fmt::format(
          "{} and {} are merged later than other pieces to the same token, which GGUF's readers do "
          "at once",
          core::quote(merges[rank].left), core::quote(merges[rank].right));
    }
    last = std::move(token);
  }
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    switch (static_cast<TokenType>(types[id])) {
      case TokenType::normal: {
        const auto found = of_merged.find(tokens[id]);
        const float lowest = -static_cast<float>(merges.size());
        result.scores.push_back(found != of_merged.end() ? found->second : lowest);
        break;
      }
      case TokenType::control:
      case TokenType::user_defined:
        result.scores.push_back(kAddedScore);
        break;
      case TokenType::unused:
        result.scores.push_back(kUnusedScore);
        break;
      case TokenType::unknown:
      case TokenType::byte:
        result.scores.push_back(0.0F);
        break;
    }
  }
  return result;
}

}  // namespace llm::tokenizer
