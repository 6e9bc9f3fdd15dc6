#include <cstdint>

#include "formats/gguf_reader.h"
#include "fuzz/check_outcome.h"

namespace {

/// Every getter on every key: a value or an error, never both types at once.
void read_all(const llm::formats::GgufMetadata& metadata) {
  for (const auto& [key, value] : metadata.values()) {
    int matches = 0;
    const auto count = [&](const auto& result) {
      if (result) {
        ++matches;
      } else {
        llm::fuzz::check_error(result.error().with_prefix("input"), "input");
      }
    };
    count(metadata.get_int(key));
    count(metadata.get_bool(key));
    count(metadata.get_string(key));
    count(metadata.get_ints(key));
    count(metadata.get_floats(key));
    count(metadata.get_strings(key));
    const auto number = metadata.get_float(key);
    LLM_CHECK(matches <= 1 || matches == 3);  // three: an empty array
    LLM_CHECK(number || !metadata.get_int(key));
    LLM_CHECK(metadata.stored_type(key).has_value());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = std::as_bytes(std::span(data, size));
  const auto parsed = llm::formats::parse_gguf(input, "input");
  if (parsed) {
    llm::fuzz::check_tensors(parsed->tensors, input);
    read_all(parsed->metadata);
  } else {
    llm::fuzz::check_error(parsed.error(), "input");
  }
  return 0;
}
