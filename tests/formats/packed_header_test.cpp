// The header of a file of packed weights: nothing in it is believed, and every error says where.
#include "formats/packed_header.h"

#include <gtest/gtest.h>

#include <functional>

#include "core/json.h"
#include "formats/file_builder.h"

namespace llm::formats {
namespace {

PackedHeader small_header() {
  PackedHeader header{.instruction_set = "avx2",
                      .layout = 0xfedcba9876543210ULL,
                      .dtype = "bf16",
                      .sources = {{"a.safetensors", 1000, -5, 0x8000000000000001ULL},
                                  {"config.json", 10, 1'700'000'000'123'456'789, 7}},
                      .matrices = {{.name = "q",
                                    .dtype = DType::bf16,
                                    .rows = 20,
                                    .cols = 8,
                                    .panel_rows = 16,
                                    .panel_bytes = 512},
                                   {.name = "k rows 8",
                                    .dtype = DType::q4_k,
                                    .rows = 1,
                                    .cols = 256,
                                    .panel_rows = 16,
                                    .panel_bytes = 64}}};
  place_matrices(header.matrices);
  return header;
}

/// A whole file with that header.
std::string file_of(const PackedHeader& header) {
  std::string file = encode_packed_header(header).value();
  const PackedMatrixEntry& last = header.matrices.back();
  file.resize(file.size() + last.offset + last.bytes, 'w');
  return file;
}

/// The file of small_header() with another JSON text, and the same matrices behind it.
std::string with_json(const std::string& text) {
  Bytes file;
  file.raw(kPackedMagic).u64(kPackedVersion).u64(text.size()).raw(text).pad_to(kPackedAlignment);
  return file.raw(std::string(kPackedAlignment + 64, 'w'));
}

core::Json small_json() {
  const std::string file = file_of(small_header());
  return core::parse_json(file.substr(24, file.find('\0', 24) - 24), "header").value();
}

Status parse(const std::string& file) {
  return parse_packed_header(as_bytes(file), "w.packed").status();
}

void expect_refused(const std::string& file, const std::string& text) {
  const Status status = parse(file);
  EXPECT_EQ(status.code(), StatusCode::corrupt_data);
  EXPECT_TRUE(status.message().starts_with("w.packed: ")) << status.message();
  EXPECT_NE(status.message().find(text), std::string::npos) << status.message();
}

TEST(PackedHeader, ReadsWhatWasWritten) {
  const PackedHeader header = small_header();
  EXPECT_EQ(header.matrices[0].bytes, 1024U);
  EXPECT_EQ(header.matrices[1].offset, kPackedAlignment);
  const std::string file = file_of(header);
  const auto read = parse_packed_header(as_bytes(file), "w.packed");
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->data_begin, kPackedAlignment);
  EXPECT_EQ(file[read->data_begin], 'w');
  EXPECT_EQ(file[read->data_begin - 1], '\0');
  const Status same = compare_packed_headers(read->header, header, "w.packed");
  EXPECT_TRUE(same.ok()) << same.message();
  EXPECT_EQ(read->header.sources[0].modified_ns, -5);
  EXPECT_EQ(read->header.sources[0].sample, 0x8000000000000001ULL);
}

TEST(PackedHeader, CutAnywhereItIsRefused) {
  const std::string file = file_of(small_header());
  for (std::size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(parse(file.substr(0, size)).ok()) << size;
  }
  expect_refused(file.substr(0, file.size() - 1), "the file was cut");
  expect_refused(file + "x", "expected 4160 bytes of matrices, found 4161");
}

TEST(PackedHeader, MagicVersionAndLength) {
  const std::string file = file_of(small_header());
  std::string edited = file;
  edited[0] = 'X';
  expect_refused(edited, "expected a file of packed weights, found \"XLMPACK\\x0a\"");
  edited = file;
  edited[8] = 2;
  expect_refused(edited, "version: expected 1, found 2");
  for (const std::uint64_t length : {std::uint64_t{1} << 63U, ~std::uint64_t{0},
                                     std::uint64_t{kPackedMaxJsonBytes} + 1, file.size()}) {
    edited = file;
    std::memcpy(edited.data() + 16, &length, sizeof length);
    expect_refused(edited, "header length: expected at most");
  }
}

TEST(PackedHeader, OnlyItsOwnBeginningIsRecognised) {
  EXPECT_TRUE(starts_as_packed_file(as_bytes(file_of(small_header()))));
  EXPECT_TRUE(starts_as_packed_file({})) << "an empty file may become one";
  EXPECT_TRUE(starts_as_packed_file(as_bytes("LLMP")));
  EXPECT_FALSE(starts_as_packed_file(as_bytes("GGUF")));
  EXPECT_FALSE(starts_as_packed_file(as_bytes("LLMPACK 2 of something else")));
}

TEST(PackedHeader, EveryFieldIsChecked) {
  using Edit = std::function<void(core::Json&)>;
  static constexpr std::uint64_t kHuge = ~std::uint64_t{0};
  const std::pair<Edit, const char*> cases[] = {
      {[](core::Json& j) { j = core::Json::array(); }, "header: expected an object, found []"},
      {[](core::Json& j) { j.erase("dtype"); }, "header: dtype is missing"},
      {[](core::Json& j) { j["instruction_set"] = 3; }, "instruction_set: expected a string"},
      {[](core::Json& j) { j["layout"] = "12"; }, "layout: expected 16 hexadecimal digits"},
      {[](core::Json& j) { j["layout"] = "fedcba987654321g"; }, "layout: expected 16 hexadecimal"},
      {[](core::Json& j) { j["sources"] = 1; }, "sources: expected an array, found 1"},
      {[](core::Json& j) { j["sources"][1] = 1; }, "source 2: expected an object, found 1"},
      {[](core::Json& j) { j["sources"][0]["size"] = -1; }, "size: expected a whole number"},
      {[](core::Json& j) { j["sources"][0]["modified_ns"] = 1.5; }, "expected a 64-bit integer"},
      {[](core::Json& j) { j["sources"][0]["modified_ns"] = kHuge; }, "expected a 64-bit integer"},
      {[](core::Json& j) { j["matrices"] = "x"; }, "matrices: expected an array"},
      {[](core::Json& j) { j["matrices"][0].erase("rows"); }, "matrix 1: rows is missing"},
      {[](core::Json& j) { j["matrices"][0]["dtype"] = "q9"; }, "dtype: expected a known type"},
      {[](core::Json& j) { j["matrices"][0]["rows"] = 0; }, "matrix 1: bytes: expected those of"},
      {[](core::Json& j) { j["matrices"][0]["rows"] = 33; }, "found 1024"},
      {[](core::Json& j) { j["matrices"][0]["rows"] = INT64_MAX; }, "matrix 1: bytes"},
      {[](core::Json& j) { j["matrices"][0]["cols"] = -8; }, "matrix 1: bytes"},
      {[](core::Json& j) { j["matrices"][0]["panel_rows"] = 0; }, "matrix 1: bytes"},
      {[](core::Json& j) { j["matrices"][0]["panel_bytes"] = kHuge; }, "matrix 1: bytes"},
      {[](core::Json& j) { j["matrices"][0]["bytes"] = kHuge; }, "matrix 1: bytes"},
      {[](core::Json& j) { j["matrices"][1]["offset"] = 0; }, "offset: expected 4096, found 0"},
      {[](core::Json& j) { j["matrices"][1]["offset"] = 4160; }, "offset: expected 4096"},
      {[](core::Json& j) { j["matrices"][1]["offset"] = kHuge; }, "offset: expected 4096"},
      {[](core::Json& j) { j["matrices"].erase(1); }, "expected 1024 bytes of matrices"},
      {[](core::Json& j) { j["matrices"].push_back(j["matrices"][1]); }, "matrix k rows 8"},
  };
  ASSERT_TRUE(parse(with_json(small_json().dump())).ok()) << "what the cases start from";
  for (const auto& [edit, text] : cases) {
    core::Json json = small_json();
    edit(json);
    expect_refused(with_json(json.dump()), text);
  }
  expect_refused(with_json("{\"dtype\":\"a\",\"dtype\":\"b\"}"), "duplicate key");
  expect_refused(with_json("\xff{]"), "invalid JSON");
  expect_refused(with_json(std::string(100'000, '[')), "nesting deeper");
  expect_refused(with_json(""), "invalid JSON");
}

TEST(PackedHeader, ADifferenceIsNamedWithBothValues) {
  using Edit = std::function<void(PackedHeader&)>;
  const std::pair<Edit, const char*> cases[] = {
      {[](PackedHeader& h) { h.instruction_set = "avx512"; },
       "instruction_set: expected avx512, found avx2"},
      {[](PackedHeader& h) { h.layout = 1; },
       "layout: expected 0000000000000001, found fedcba9876543210"},
      {[](PackedHeader& h) { h.dtype = "f32"; }, "dtype: expected f32, found bf16"},
      {[](PackedHeader& h) { h.sources.pop_back(); }, "number of sources: expected 1, found 2"},
      {[](PackedHeader& h) { h.sources[0].name = "b"; }, "name: expected b, found a.safetensors"},
      {[](PackedHeader& h) { h.sources[0].size = 9; },
       "source a.safetensors: size: expected 9, found 1000"},
      {[](PackedHeader& h) { h.sources[1].modified_ns = 0; }, "modified_ns: expected 0, found 17"},
      {[](PackedHeader& h) { h.sources[1].sample = 8; },
       "sample of its bytes: expected 0000000000000008, found 0000000000000007"},
      {[](PackedHeader& h) { h.matrices.pop_back(); }, "number of matrices: expected 1, found 2"},
      {[](PackedHeader& h) { h.matrices[0].name = "v"; }, "matrix v: name: expected v, found q"},
      {[](PackedHeader& h) { h.matrices[1].dtype = DType::q6_k; }, "expected q6_k, found q4_k"},
      {[](PackedHeader& h) { h.matrices[0].rows = 19; }, "matrix q: rows: expected 19, found 20"},
      {[](PackedHeader& h) { h.matrices[0].cols = 7; }, "matrix q: cols: expected 7, found 8"},
      {[](PackedHeader& h) { h.matrices[0].panel_rows = 32; }, "panel_rows: expected 32, found 16"},
      {[](PackedHeader& h) { h.matrices[0].panel_bytes = 1; },
       "panel_bytes: expected 1, found 512"},
      {[](PackedHeader& h) { h.matrices[1].offset = 64; }, "offset: expected 64, found 4096"},
      {[](PackedHeader& h) { h.matrices[1].bytes = 65; }, "bytes: expected 65, found 64"},
  };
  for (const auto& [edit, text] : cases) {
    PackedHeader expected = small_header();
    edit(expected);
    const Status status = compare_packed_headers(small_header(), expected, "w.packed");
    EXPECT_NE(status.message().find(text), std::string::npos) << status.message();
  }
}

}  // namespace
}  // namespace llm::formats
