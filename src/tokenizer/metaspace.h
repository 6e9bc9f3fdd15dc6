// The options of tokenizer.json's Metaspace, which is both a pre-tokenizer and a decoder.
#pragma once

#include "llm/status.h"
#include "tokenizer/json_node.h"

namespace llm::tokenizer {

struct MetaspaceOptions {
  enum class Prepend { always, first, never };
  char32_t mark = 0x2581;  ///< stands for a space
  Prepend prepend = Prepend::always;
  bool split = true;
};

Result<MetaspaceOptions> parse_metaspace(const JsonNode& node);

}  // namespace llm::tokenizer
