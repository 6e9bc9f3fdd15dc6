// The names of core/utf8.h as this folder uses them.
#pragma once

#include "core/utf8.h"

namespace llm::tokenizer {

using core::append_utf8;
using core::decode_utf8;
using core::decode_valid_utf8;
using core::is_ascii;
using core::is_valid_utf8;
using core::kReplacementCharacter;
using core::kReplacementUtf8;
using core::replace_invalid_utf8;
using core::to_utf8;
using core::utf8_length;
using core::Utf8Char;

}  // namespace llm::tokenizer
