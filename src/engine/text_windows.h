// TextWindows: a long text cut into windows of equal length, as llama.cpp's llama-perplexity cuts
// it: tokens [i * N, (i + 1) * N) are window i, an incomplete one at the end is left out, and where
// the tokenizer begins texts with a BOS token, that token replaces the first one of each window.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "llm/status.h"
#include "tokenizer/tokenizer.h"

namespace llm::engine {

/// The shortest window: 3 positions of it are scored.
inline constexpr std::int64_t kMinWindow = 8;
/// The longest window chosen when none is asked for.
inline constexpr std::int64_t kDefaultWindow = 512;

class TextWindows {
 public:
  /// `length` at least kMinWindow. Text without one full window is an error with both counts.
  /// Control tokens written in the text are ordinary text.
  static Result<TextWindows> create(const tokenizer::Tokenizer& tokenizer, std::string_view text,
                                    std::int64_t length);

  std::int64_t length() const { return length_; }
  std::int64_t count() const { return static_cast<std::int64_t>(tokens_.size()) / length_; }
  /// Tokens of the text, with the BOS token in front of it.
  std::span<const std::int32_t> tokens() const { return tokens_; }
  std::span<const std::int32_t> window(std::int64_t index) const;
  /// The first position of a window whose logits count: its second half has enough context. They
  /// are positions [first_scored(), length() - 1), each of which predicts the token after it.
  std::int64_t first_scored() const { return length_ / 2; }

 private:
  TextWindows(std::vector<std::int32_t> tokens, std::int64_t length)
      : tokens_(std::move(tokens)), length_(length) {}

  std::vector<std::int32_t> tokens_;
  std::int64_t length_;
};

/// `asked` within the model's context, or the default for 0: min(kDefaultWindow, max_positions).
Result<std::int64_t> window_length(std::int64_t asked, std::int64_t max_positions);

}  // namespace llm::engine
