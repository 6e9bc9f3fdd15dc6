// Regex: a compiled regular expression over UTF-8 text, in the dialect of tokenizer.json. Immutable
// after compile, so one object serves any thread; each thread searches with its own MatchBuffer.
// Nearly all expressions of tokenizers run as a RegexDfa; PCRE2 does those that need more.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "llm/status.h"

namespace llm::tokenizer {

/// Scratch space of a search; reusable for any Regex, by one thread at a time.
class MatchBuffer {
 public:
  MatchBuffer();
  ~MatchBuffer();
  MatchBuffer(const MatchBuffer&) = delete;
  MatchBuffer& operator=(const MatchBuffer&) = delete;

 private:
  friend class MatchIterator;
  struct State;
  std::unique_ptr<State> state_;
};

class Regex {
 public:
  static Result<Regex> compile(std::string_view pattern);
  /// Matches exactly this text.
  static Result<Regex> compile_literal(std::string_view text);

  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

 private:
  friend class MatchIterator;
  struct Program;
  explicit Regex(std::unique_ptr<Program> program);
  std::unique_ptr<Program> program_;
};

/// The non-overlapping matches from left to right. An empty match directly behind another match
/// does not count. The text must be valid UTF-8 and outlive the iterator.
class MatchIterator {
 public:
  MatchIterator(const Regex& regex, std::string_view text, MatchBuffer& buffer)
      : regex_(regex), buffer_(buffer) {
    restart(text);
  }
  /// The same search in another text.
  void restart(std::string_view text);

  /// Moves to the next match; false when there is none. An expression that takes too many steps on
  /// this text is an error.
  Result<bool> next();
  std::size_t begin() const { return begin_; }
  std::size_t end() const { return end_; }

 private:
  Result<bool> next_of_dfa();
  Result<bool> next_of_pcre2();

  const Regex& regex_;
  std::string_view text_;
  std::optional<std::string> older_text_;  // stands in for a text with very new characters
  MatchBuffer& buffer_;
  std::size_t wasted_ = 0;  // characters read where no match began
  std::size_t from_ = 0;
  std::size_t begin_ = 0, end_ = 0;
  bool matched_before_ = false;
};

}  // namespace llm::tokenizer
