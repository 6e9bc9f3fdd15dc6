// Which of the pre-splits that GGUF knows by name a tokenizer.json describes.
#pragma once

#include <string>
#include <string_view>

#include "core/json.h"
#include "llm/status.h"

namespace llm::tokenizer {

struct GgufPreName {
  std::string_view name;
  /// How the named split differs from the described one; empty when it does not.
  std::string_view difference;
};

/// `pre_tokenizer`: that member of a tokenizer.json that was read without errors. Unsupported: a
/// pipeline that no name stands for; the message shows it.
Result<GgufPreName> find_gguf_pre_name(const core::Json& pre_tokenizer, bool ignore_merges);

}  // namespace llm::tokenizer
