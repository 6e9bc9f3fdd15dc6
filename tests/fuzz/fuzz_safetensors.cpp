#include <cstdint>

#include "formats/safetensors_reader.h"
#include "fuzz/check_outcome.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = std::as_bytes(std::span(data, size));
  const auto parsed = llm::formats::parse_safetensors(input, "input");
  if (parsed) {
    llm::fuzz::check_tensors(parsed->tensors, input);
  } else {
    llm::fuzz::check_error(parsed.error(), "input");
  }
  return 0;
}
