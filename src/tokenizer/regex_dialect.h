// Translation of regular expressions from Oniguruma's Ruby syntax, which tokenizer.json uses, to
// PCRE2 syntax with the options of regex.cpp (UTF, UCP, MULTILINE, newline is LF only). Constructs
// whose meaning differs are rewritten; those that cannot be are refused by name. Captures become
// plain groups: nothing may refer to them.
#pragma once

#include <string>
#include <string_view>

#include "llm/status.h"

namespace llm::tokenizer {

Result<std::string> oniguruma_to_pcre2(std::string_view pattern);

}  // namespace llm::tokenizer
