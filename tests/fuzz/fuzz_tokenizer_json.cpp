#include <algorithm>

#include "fuzz/check_tokenizer.h"

// tokenizer.json, and behind a NUL byte, if there is one, tokenizer_config.json.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = std::min(input.find('\0'), input.size());
  const auto tokenizer = llm::tokenizer::tokenizer_from_json(
      input.substr(0, cut), input.substr(std::min(cut + 1, input.size())));
  if (tokenizer) {
    llm::fuzz::check_tokenizer(**tokenizer);
  } else {
    llm::fuzz::check_tokenizer_error(tokenizer.error(), "tokenizer");  // .json or _config.json
  }
  return 0;
}
