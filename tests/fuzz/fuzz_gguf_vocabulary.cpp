#include <algorithm>

#include "fuzz/check_tokenizer.h"

namespace {

using llm::tokenizer::GgufVocabulary;

// Lines: "k" model, "p" pre-split, "a" architecture; "t" type (one digit), score (one letter), text
// of a token; "s" of 256 byte tokens; "m" merge; "b", "e" id of BOS, EOS, and add it; "x" prefix
// space. Anything else is skipped.
GgufVocabulary vocabulary_of(std::string_view input) {
  GgufVocabulary v;
  const auto number = [](std::string_view text) {
    std::int32_t value = 0;
    for (const char c : text.substr(0, 6)) value = value * 10 + (c - '0');
    return value;
  };
  const auto add_token = [&v](std::string text, std::int32_t type, float score) {
    v.tokens.push_back(std::move(text));
    v.token_types.push_back(type);
    v.scores.push_back(score);
  };
  while (!input.empty()) {
    const std::size_t end = std::min(input.find('\n'), input.size());
    const std::string_view line = input.substr(0, end);
    input.remove_prefix(std::min(end + 1, input.size()));
    if (line.empty()) continue;
    const std::string_view rest = line.substr(1);
    switch (line[0]) {
      case 'k':
        v.model = rest;
        break;
      case 'p':
        v.pre = rest;
        break;
      case 'a':
        v.architecture = rest;
        break;
      case 't':
        if (rest.size() > 2) add_token(std::string(rest.substr(2)), rest[0] - '0', rest[1]);
        break;
      case 's':
        for (unsigned byte = 0; byte < 256; ++byte) {
          constexpr std::string_view kHex = "0123456789ABCDEF";
          add_token({'<', '0', 'x', kHex[byte / 16], kHex[byte % 16], '>'}, 6, 0);
        }
        break;
      case 'm':
        v.merges.emplace_back(rest);
        break;
      case 'b':
        v.bos_id = number(rest);
        v.add_bos = true;
        break;
      case 'e':
        v.eos_id = number(rest);
        v.add_eos = true;
        break;
      case 'x':
        v.add_space_prefix = !rest.empty();
        break;
      default:
        break;
    }
  }
  return v;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto tokenizer = llm::tokenizer::tokenizer_from_gguf(vocabulary_of(input));
  if (tokenizer) {
    llm::fuzz::check_tokenizer(**tokenizer);
  } else {
    llm::fuzz::check_tokenizer_error(tokenizer.error(), "GGUF vocabulary");
  }
  return 0;
}
