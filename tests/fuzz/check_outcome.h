// What must hold for any input of a model-file parser; a violation stops the program.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/check.h"
#include "formats/tensor_entry.h"
#include "llm/status.h"

namespace llm::fuzz {

/// An error names its input and is one bounded line of printable text.
inline void check_error(const Status& status, std::string_view input_name) {
  LLM_CHECK(!status.ok());
  LLM_CHECK(status.code() != StatusCode::internal);
  LLM_CHECK(status.message().starts_with(std::string(input_name) + ": "));
  LLM_CHECK(status.message().size() < 1000);
  for (const char character : status.message()) LLM_CHECK(character >= 0x20 && character < 0x7f);
}

/// Every tensor lies inside the input, has the size of its shape, and a name of its own.
inline void check_tensors(const std::vector<formats::TensorEntry>& tensors,
                          std::span<const std::byte> input) {
  std::unordered_set<std::string_view> names;
  unsigned sum = 0;
  for (const formats::TensorEntry& tensor : tensors) {
    const core::TensorView& view = tensor.view;
    LLM_CHECK(names.insert(tensor.name).second);
    LLM_CHECK(formats::tensor_bytes(view.dtype, view.shape) == view.bytes);
    LLM_CHECK(view.data >= input.data());
    const auto offset = static_cast<std::size_t>(view.data - input.data());
    LLM_CHECK(offset <= input.size() && view.bytes <= input.size() - offset);
    for (std::size_t byte = 0; byte < view.bytes; ++byte)
      sum += static_cast<unsigned>(view.data[byte]);
  }
  // Keeps the reads above.
  volatile unsigned sink = sum;
  static_cast<void>(sink);
}

}  // namespace llm::fuzz
