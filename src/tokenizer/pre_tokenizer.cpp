#include "tokenizer/pre_tokenizer.h"

#include <optional>

#include "core/error.h"
#include "core/quote.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/metaspace.h"
#include "tokenizer/split.h"
#include "tokenizer/unicode_classes.h"
#include "tokenizer/utf8.h"

namespace llm::tokenizer {
namespace {

constexpr std::size_t kMaxSteps = 64;
constexpr std::size_t kMaxDepth = 16;
// Steps that rewrite words add a few bytes to each; a file that piles them up is refused.
constexpr std::size_t kMaxGrowth = 64;
constexpr std::size_t kMaxGrowthOfShortText = 1 << 20;

// The expression inside of the ByteLevel step, GPT-2's.
constexpr std::string_view kByteLevelExpression =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

using Step = std::unique_ptr<PreTokenizerStep>;

// Cuts every word; `segment(word, segments)` finds the segments of one.
template <class SegmentWord>
Status cut(Words& words, SplitBehavior behavior, const SegmentWord& segment) {
  std::vector<Words::Word>& result = words.spare;
  result.clear();
  std::vector<Segment> segments;
  for (const Words::Word word : words.words) {
    segments.clear();
    LLM_RETURN_IF_ERROR(segment(word, segments));
    append_words(segments, behavior, result);
  }
  std::swap(words.words, words.spare);
  return Status();
}

Status isolate_matches(const Regex& regex, Words& words, MatchBuffer& buffer) {
  std::vector<Words::Word>& result = words.spare;
  result.clear();
  MatchIterator matches(regex, {}, buffer);
  for (const Words::Word word : words.words) {
    std::size_t rest = word.begin;
    matches.restart(words.view(word));
    while (true) {
      LLM_ASSIGN_OR_RETURN(const bool found, matches.next());
      if (!found) break;
      const std::size_t begin = word.begin + matches.begin();
      const std::size_t end = word.begin + matches.end();
      if (rest < begin) result.push_back({rest, begin});
      if (begin < end) result.push_back({begin, end});
      rest = end;
    }
    if (rest < word.end) result.push_back({rest, word.end});
  }
  std::swap(words.words, words.spare);
  return Status();
}

class Split : public PreTokenizerStep {
 public:
  Split(Regex regex, SplitBehavior behavior, bool invert)
      : regex_(std::move(regex)), behavior_(behavior), invert_(invert) {}

  Status apply(Words& words, MatchBuffer& buffer) const override {
    if (behavior_ == SplitBehavior::isolated) return isolate_matches(regex_, words, buffer);
    return cut(words, behavior_, [&](Words::Word word, std::vector<Segment>& segments) -> Status {
      std::size_t rest = word.begin;
      MatchIterator matches(regex_, words.view(word), buffer);
      while (true) {
        LLM_ASSIGN_OR_RETURN(const bool found, matches.next());
        if (!found) break;
        const std::size_t begin = word.begin + matches.begin();
        const std::size_t end = word.begin + matches.end();
        if (rest < begin) segments.push_back({rest, begin, invert_});
        segments.push_back({begin, end, !invert_});
        rest = end;
      }
      if (rest < word.end) segments.push_back({rest, word.end, invert_});
      return Status();
    });
  }

 private:
  Regex regex_;
  SplitBehavior behavior_;
  bool invert_;
};

class CharacterSplit : public PreTokenizerStep {
 public:
  CharacterSplit(bool (*is_delimiter)(char32_t), SplitBehavior behavior)
      : is_delimiter_(is_delimiter), behavior_(behavior) {}

  Status apply(Words& words, MatchBuffer&) const override {
    return cut(words, behavior_, [&](Words::Word word, std::vector<Segment>& segments) {
      segment_by_character(words.text, word, is_delimiter_, segments);
      return Status();
    });
  }

 private:
  bool (*is_delimiter_)(char32_t);
  SplitBehavior behavior_;
};

// Runs of word characters and runs of other visible characters; white space goes.
class WhitespaceSplit : public PreTokenizerStep {
 public:
  Status apply(Words& words, MatchBuffer&) const override {
    return cut(words, SplitBehavior::isolated,
               [&](Words::Word word, std::vector<Segment>& segments) {
                 add_runs(words.text, word, segments);
                 return Status();
               });
  }

 private:
  static void add_runs(std::string_view text, Words::Word word, std::vector<Segment>& segments) {
    enum class Kind { space, letters, other } run = Kind::space;
    std::size_t begin = word.begin;
    for (std::size_t at = word.begin; at < word.end;) {
      const std::size_t length = utf8_length(text[at]);
      const char32_t c = decode_valid_utf8(text.data() + at, length);
      const Kind kind = is_word(c) ? Kind::letters : is_white_space(c) ? Kind::space : Kind::other;
      if (kind != run) {
        if (run != Kind::space) segments.push_back({begin, at, false});
        run = kind;
        begin = at;
      }
      at += length;
    }
    if (run != Kind::space) segments.push_back({begin, word.end, false});
  }
};

class Metaspace : public PreTokenizerStep {
 public:
  explicit Metaspace(MetaspaceOptions options) : options_(options), mark_(to_utf8(options.mark)) {}

  Status apply(Words& words, MatchBuffer&) const override {
    std::string text;
    text.reserve(words.text.size() + words.text.size() / 2);
    // A first word that does not start the text must not seem to do so below.
    if (!words.words.empty() && words.words.front().begin != 0) words.from_start = false;
    for (Words::Word& word : words.words) {
      const bool first = words.from_start && text.empty();
      const std::size_t begin = text.size();
      const std::string_view old = words.view(word);
      const bool has_mark = old.starts_with(mark_) || old.starts_with(' ');
      const bool prepends = options_.prepend == MetaspaceOptions::Prepend::always ||
                            (options_.prepend == MetaspaceOptions::Prepend::first && first);
      if (prepends && !has_mark) {
        text += mark_;
      }
      for (const char c : old) {
        if (c == ' ') {
          text += mark_;
        } else {
          text += c;
        }
      }
      word = {begin, text.size()};
    }
    words.text = std::move(text);
    if (!options_.split) return Status();
    return cut(words, SplitBehavior::merged_with_next,
               [&](Words::Word word, std::vector<Segment>& segments) {
                 const auto is_mark = [this](char32_t c) { return c == options_.mark; };
                 segment_by_character(words.text, word, is_mark, segments);
                 return Status();
               });
  }

 private:
  MetaspaceOptions options_;
  std::string mark_;
};

class ByteLevel : public PreTokenizerStep {
 public:
  ByteLevel(std::optional<Regex> regex, bool add_prefix_space, bool to_alphabet)
      : regex_(std::move(regex)), add_prefix_space_(add_prefix_space), to_alphabet_(to_alphabet) {}

  Status apply(Words& words, MatchBuffer& buffer) const override {
    if (add_prefix_space_) {
      rewrite(words, [](std::string_view word) {
        std::string spaced(word.starts_with(' ') ? 0 : 1, ' ');
        return spaced.append(word);
      });
    }
    if (regex_) LLM_RETURN_IF_ERROR(isolate_matches(*regex_, words, buffer));
    if (to_alphabet_) rewrite(words, bytes_to_alphabet);
    return Status();
  }

 private:
  template <class F>
  static void rewrite(Words& words, const F& f) {
    // A first word that does not start the text must not seem to do so.
    if (!words.words.empty() && words.words.front().begin != 0) words.from_start = false;
    std::string text;
    text.reserve(words.text.size() * 2);
    for (Words::Word& word : words.words) {
      const std::size_t begin = text.size();
      text += f(words.view(word));
      word = {begin, text.size()};
    }
    words.text = std::move(text);
  }

  std::optional<Regex> regex_;
  bool add_prefix_space_;
  bool to_alphabet_;
};

Result<SplitBehavior> parse_behavior(const JsonNode& node) {
  LLM_ASSIGN_OR_RETURN(const std::string name, node.string("behavior"));
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  return node.member("behavior")
      .unsupported(fmt::format("unknown behaviour {}", core::quote(name)));
}

Result<Step> parse_byte_level(const JsonNode& node, bool to_alphabet) {
  LLM_RETURN_IF_ERROR(node.expect_keys({"type", "add_prefix_space", "trim_offsets", "use_regex"}));
  LLM_ASSIGN_OR_RETURN(const bool prefix, node.boolean("add_prefix_space"));
  LLM_ASSIGN_OR_RETURN(const bool use_regex, node.boolean_or("use_regex", true));
  std::optional<Regex> regex;
  if (use_regex) {
    LLM_ASSIGN_OR_RETURN(regex, Regex::compile(kByteLevelExpression));
  }
  return Step(new ByteLevel(std::move(regex), prefix, to_alphabet));
}

Result<Step> parse_step(const JsonNode& node, const std::string& type) {
  if (type == "Split") {
    LLM_RETURN_IF_ERROR(node.expect_keys({"type", "pattern", "behavior", "invert"}));
    LLM_ASSIGN_OR_RETURN(Regex regex, node.pattern("pattern"));
    LLM_ASSIGN_OR_RETURN(const SplitBehavior behavior, parse_behavior(node));
    LLM_ASSIGN_OR_RETURN(const bool invert, node.boolean("invert"));
    return Step(new Split(std::move(regex), behavior, invert));
  }
  if (type == "Metaspace") {
    LLM_ASSIGN_OR_RETURN(const MetaspaceOptions options, parse_metaspace(node));
    return Step(new Metaspace(options));
  }
  if (type == "Digits") {
    LLM_RETURN_IF_ERROR(node.expect_keys({"type", "individual_digits"}));
    LLM_ASSIGN_OR_RETURN(const bool individual, node.boolean("individual_digits"));
    LLM_ASSIGN_OR_RETURN(Regex digits, Regex::compile(individual ? R"(\p{N})" : R"(\p{N}+)"));
    return Step(new Split(std::move(digits), SplitBehavior::isolated, false));
  }
  if (type == "Punctuation") {
    LLM_RETURN_IF_ERROR(node.expect_keys({"type", "behavior"}));
    auto behavior = SplitBehavior::isolated;
    if (node.has("behavior")) {
      LLM_ASSIGN_OR_RETURN(behavior, parse_behavior(node));
    }
    return Step(new CharacterSplit(is_punctuation, behavior));
  }
  if (type == "Whitespace") {
    LLM_RETURN_IF_ERROR(node.expect_keys({"type"}));
    return Step(new WhitespaceSplit);
  }
  if (type == "WhitespaceSplit") {
    LLM_RETURN_IF_ERROR(node.expect_keys({"type"}));
    return Step(new CharacterSplit(is_white_space, SplitBehavior::removed));
  }
  return node.unsupported(fmt::format("unsupported type {}", core::quote(type)));
}

// The steps of nested sequences, in order.
Status flatten(const JsonNode& node, std::size_t depth, std::vector<JsonNode>& steps) {
  LLM_ASSIGN_OR_RETURN(const std::string type, node.type());
  if (type != "Sequence") {
    steps.push_back(node);
    return steps.size() <= kMaxSteps ? Status() : node.unsupported("too many pre-tokenizers");
  }
  if (depth >= kMaxDepth) return node.unsupported("sequences nested too deeply");
  LLM_RETURN_IF_ERROR(node.expect_keys({"type", "pretokenizers"}));
  LLM_ASSIGN_OR_RETURN(const std::vector<JsonNode> items, node.items("pretokenizers"));
  for (const JsonNode& item : items) LLM_RETURN_IF_ERROR(flatten(item, depth + 1, steps));
  return Status();
}

}  // namespace

Result<PreTokenizer> PreTokenizer::parse(const JsonNode& node) {
  PreTokenizer result;
  if (node.is_null()) return result;
  std::vector<JsonNode> nodes;
  LLM_RETURN_IF_ERROR(flatten(node, 0, nodes));
  for (const JsonNode& one : nodes) {
    LLM_ASSIGN_OR_RETURN(const std::string type, one.type());
    const bool last = &one == &nodes.back();
    const bool byte_level = type == "ByteLevel";
    LLM_ASSIGN_OR_RETURN(Step step,
                         byte_level ? parse_byte_level(one, !last) : parse_step(one, type));
    result.steps_.push_back(std::move(step));
    result.byte_words_ = byte_level && last;
  }
  return result;
}

Result<PreTokenizer> PreTokenizer::byte_level(const std::vector<std::string_view>& expressions) {
  PreTokenizer result;
  for (const std::string_view expression : expressions) {
    LLM_ASSIGN_OR_RETURN(Regex regex, Regex::compile(expression));
    result.steps_.push_back(
        std::make_unique<Split>(std::move(regex), SplitBehavior::isolated, false));
  }
  result.byte_words_ = true;
  return result;
}

Status PreTokenizer::run(Words& words, MatchBuffer& buffer) const {
  words.words.clear();
  if (words.text.empty()) return Status();
  words.words.push_back({0, words.text.size()});
  const std::size_t max_bytes = kMaxGrowth * words.text.size() + kMaxGrowthOfShortText;
  for (const Step& step : steps_) {
    LLM_RETURN_IF_ERROR(step->apply(words, buffer));
    if (words.text.size() > max_bytes) {
      return core::resource_exhausted("the pre-tokenizer grows a text to {} bytes",
                                      words.text.size());
    }
  }
  return Status();
}

}  // namespace llm::tokenizer
