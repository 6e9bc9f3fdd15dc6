#include <cstdint>

#include "formats/packed_header.h"
#include "fuzz/check_outcome.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using llm::formats::PackedFile;
  const auto input = std::as_bytes(std::span(data, size));
  const llm::Result<PackedFile> parsed = llm::formats::parse_packed_header(input, "input");
  if (!parsed) {
    llm::fuzz::check_error(parsed.error(), "input");
    return 0;
  }
  LLM_CHECK(llm::formats::starts_as_packed_file(input));
  // Every matrix lies inside the input, behind the one before it, and has the size of its panels.
  const PackedFile& file = *parsed;
  LLM_CHECK(file.data_begin <= size);
  std::size_t end = 0;
  for (const auto& matrix : file.header.matrices) {
    LLM_CHECK(matrix.rows > 0 && matrix.cols > 0 && matrix.panel_rows > 0);
    const auto panels = static_cast<std::size_t>((matrix.rows - 1) / matrix.panel_rows + 1);
    LLM_CHECK(matrix.bytes / panels == matrix.panel_bytes && matrix.bytes % panels == 0);
    LLM_CHECK(matrix.offset >= end && matrix.offset % llm::formats::kPackedAlignment == 0);
    LLM_CHECK(matrix.bytes <= size - file.data_begin);
    LLM_CHECK(matrix.offset <= size - file.data_begin - matrix.bytes);
    end = matrix.offset + matrix.bytes;
  }
  // What was read is written the same way again.
  const auto text = llm::formats::encode_packed_header(file.header);
  LLM_CHECK(text.has_value());
  const std::string rewritten = *text + std::string(end, 'w');
  const auto again =
      llm::formats::parse_packed_header(std::as_bytes(std::span(rewritten)), "input");
  LLM_CHECK(again.has_value());
  LLM_CHECK(llm::formats::compare_packed_headers(again->header, file.header, "input").ok());
  return 0;
}
