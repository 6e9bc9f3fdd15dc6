// Passes over one row of logits. No state; any thread.
//
// A row has a hundred thousand tokens and more, of which few matter: the highest logit of each
// block of tokens, found in one pass, tells the passes that follow which blocks they can leave out.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "llm/status.h"

namespace llm::sampling {

/// Tokens looked at together.
inline constexpr std::size_t kBlockTokens = 256;

constexpr std::size_t blocks_of(std::size_t tokens) {
  return (tokens + kBlockTokens - 1) / kBlockTokens;
}

/// ok, or an error that names the first logit that is NaN or +infinity.
Status check_logits(std::span<const float> logits);

/// Copies a row, with the same check.
Status copy_logits(std::span<const float> logits, std::span<float> copy);

/// A row and what one pass over it finds; refers to what it was made from.
struct ScannedRow {
  std::span<const float> logits;
  std::span<const float> block_highest;  // (blocks_of(tokens))
  float highest = 0;                     // -infinity when every token is masked

  std::span<const float> block(std::size_t index) const {
    const std::size_t begin = index * kBlockTokens;
    return logits.subspan(begin, std::min(kBlockTokens, logits.size() - begin));
  }
};

/// Errors as check_logits. `block_highest`: room for blocks_of(tokens) values.
Result<ScannedRow> scan_row(std::span<const float> logits, std::span<float> block_highest);

}  // namespace llm::sampling
