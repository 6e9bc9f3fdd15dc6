// PreTokenizer: the pre-split. A list of steps cuts a text into words, which the model encodes one
// by one; some steps also rewrite the words. Immutable; any thread may run one.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "llm/status.h"
#include "tokenizer/json_node.h"
#include "tokenizer/regex.h"

namespace llm::tokenizer {

/// A text and the words it was cut into, from left to right; parts may have been removed.
struct Words {
  struct Word {
    std::size_t begin, end;
  };
  std::string text;         ///< valid UTF-8
  std::vector<Word> words;  ///< never empty ones
  std::vector<Word> spare;  ///< a step's scratch space
  /// Whether the text's first character stems from the first character of the whole input.
  bool from_start = true;

  std::string_view view(Word word) const {
    return std::string_view(text).substr(word.begin, word.end - word.begin);
  }
};

class PreTokenizerStep {
 public:
  virtual ~PreTokenizerStep() = default;
  virtual Status apply(Words& words, MatchBuffer& buffer) const = 0;
};

/// What becomes of the delimiters of a split.
enum class SplitBehavior { removed, isolated, contiguous, merged_with_previous, merged_with_next };

class PreTokenizer {
 public:
  PreTokenizer() = default;

  /// No steps for a JSON null.
  static Result<PreTokenizer> parse(const JsonNode& node);
  /// Each expression cuts the words of the one before; what it matches and what lies between
  /// become words. The words are then raw bytes for a byte-level model.
  static Result<PreTokenizer> byte_level(const std::vector<std::string_view>& expressions);

  /// Cuts words.text, which was set by the caller.
  Status run(Words& words, MatchBuffer& buffer) const;

  /// The last step turns bytes into the byte-level alphabet; it is left to the model, which gets
  /// the words as raw bytes.
  bool byte_words() const { return byte_words_; }

 private:
  std::vector<std::unique_ptr<PreTokenizerStep>> steps_;
  bool byte_words_ = false;
};

}  // namespace llm::tokenizer
