// Normalizer: the step of tokenizer.json that rewrites text before anything else looks at it.
// Immutable; any thread may apply one.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "llm/status.h"
#include "tokenizer/json_node.h"
#include "tokenizer/regex.h"

namespace llm::tokenizer {

struct NormalizedText {
  std::string text;  ///< valid UTF-8
  /// Whether the first character still stems from the first character of the input.
  bool keeps_start = true;
  /// A file whose replacements grow the text beyond this is answered with an error.
  std::size_t max_bytes = std::size_t{1} << 30;
};

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual Status apply(NormalizedText& text, MatchBuffer& buffer) const = 0;
};

/// Null for a JSON null.
Result<std::unique_ptr<Normalizer>> parse_normalizer(const JsonNode& node);

}  // namespace llm::tokenizer
