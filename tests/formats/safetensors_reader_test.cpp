#include "formats/safetensors_reader.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "formats/file_builder.h"

namespace llm::formats {
namespace {

Result<SafetensorsContents> parse(const std::string& file) {
  return parse_safetensors(as_bytes(file), "file.safetensors");
}

TEST(SafetensorsReader, ReadsTensorsInFileOrder) {
  // Listed in another order than stored; a scalar and an empty tensor among them; padded header.
  const std::string file =
      safetensors_file(R"({"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},)"
                       R"("__metadata__":{"format":"pt","note":"two words"},)"
                       R"("scalar":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                       R"("none":{"dtype":"F32","shape":[0,5],"data_offsets":[16,16]}}     )",
                       "0123456789abcdef");
  const auto parsed = parse(file);
  ASSERT_TRUE(parsed) << parsed.error().message();
  ASSERT_EQ(parsed->tensors.size(), 3u);
  const TensorEntry& scalar = parsed->tensors[0];
  EXPECT_EQ(scalar.name, "scalar");
  EXPECT_EQ(scalar.view.dtype, DType::f32);
  EXPECT_EQ(scalar.view.shape, core::Shape());
  EXPECT_EQ(scalar.view.bytes, 4u);
  EXPECT_EQ(static_cast<char>(*scalar.view.data), '0');
  const TensorEntry& b = parsed->tensors[1];
  EXPECT_EQ(b.name, "b");
  EXPECT_EQ(b.view.dtype, DType::bf16);
  EXPECT_EQ(b.view.shape, (core::Shape{2, 3}));
  EXPECT_EQ(b.view.bytes, 12u);
  EXPECT_EQ(static_cast<char>(*b.view.data), '4');
  EXPECT_EQ(parsed->tensors[2].name, "none");
  EXPECT_EQ(parsed->tensors[2].view.bytes, 0u);
  EXPECT_EQ(parsed->metadata.at("note"), "two words");
}

TEST(SafetensorsReader, ReadsEveryStorableType) {
  for (const auto& [name, dtype, bytes] :
       std::vector<std::tuple<std::string, DType, std::size_t>>{{"F64", DType::f64, 8},
                                                                {"F32", DType::f32, 4},
                                                                {"F16", DType::f16, 2},
                                                                {"BF16", DType::bf16, 2},
                                                                {"F8_E4M3", DType::f8_e4m3, 1},
                                                                {"F8_E5M2", DType::f8_e5m2, 1},
                                                                {"I64", DType::i64, 8},
                                                                {"I32", DType::i32, 4},
                                                                {"I16", DType::i16, 2},
                                                                {"I8", DType::i8, 1},
                                                                {"U64", DType::u64, 8},
                                                                {"U32", DType::u32, 4},
                                                                {"U16", DType::u16, 2},
                                                                {"U8", DType::u8, 1},
                                                                {"BOOL", DType::boolean, 1}}) {
    const auto parsed =
        parse(safetensors_file(R"({"t":{"dtype":")" + name + R"(","shape":[3],"data_offsets":[0,)" +
                                   std::to_string(3 * bytes) + "]}}",
                               std::string(3 * bytes, 'x')));
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_EQ(parsed->tensors[0].view.dtype, dtype);
    EXPECT_EQ(safetensors_dtype_name(dtype), name);
  }
  EXPECT_EQ(safetensors_dtype_name(DType::q4_0), "");
}

TEST(SafetensorsReader, ToleratesMisalignedData) {
  const std::string file =
      safetensors_file(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[1,5]},)"
                       R"("u":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                       "abcde");
  const auto parsed = parse(file);
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(static_cast<char>(*parsed->tensors[1].view.data), 'b');
}

TEST(SafetensorsReader, NanValuesAreNotTheReadersBusiness) {
  EXPECT_TRUE(parse(safetensors_file(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                                     "\xff\xff\xff\xff")));
}

struct Broken {
  std::string name;
  std::string file;
  StatusCode code;
  std::vector<std::string> mentions;

  friend void PrintTo(const Broken& broken, std::ostream* out) { *out << broken.name; }
};

std::string one(std::string_view entry, std::string_view data = "") {
  return safetensors_file("{\"t\":" + std::string(entry) + "}", data);
}

class SafetensorsBroken : public testing::TestWithParam<Broken> {};

TEST_P(SafetensorsBroken, IsRefusedWithTheReason) {
  const auto parsed = parse(GetParam().file);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code(), GetParam().code);
  EXPECT_TRUE(parsed.error().message().starts_with("file.safetensors: "))
      << parsed.error().message();
  EXPECT_EQ(parsed.error().message().find('\n'), std::string::npos);
  for (const std::string& text : GetParam().mentions) {
    EXPECT_NE(parsed.error().message().find(text), std::string::npos)
        << "\"" << parsed.error().message() << "\" should mention " << text;
  }
}

constexpr auto kCorrupt = StatusCode::corrupt_data;

std::string deep(int levels) {
  return std::string(static_cast<std::size_t>(levels), '[') +
         std::string(static_cast<std::size_t>(levels), ']');
}

INSTANTIATE_TEST_SUITE_P(
    Header, SafetensorsBroken,
    testing::Values(
        Broken{"empty", "", kCorrupt, {"at least 8 bytes", "found 0"}},
        Broken{"short", "1234567", kCorrupt, {"found 7"}},
        Broken{
            "length_beyond_file", Bytes().u64(100).raw("{}"), kCorrupt, {"header length", "100"}},
        Broken{
            "length_huge", Bytes().u64(~0ull).raw("{}"), kCorrupt, {"header length", "100000000"}},
        Broken{"length_above_limit", Bytes().u64(100'000'001).raw("{}"), kCorrupt, {"100000001"}},
        Broken{"length_zero", Bytes().u64(0), kCorrupt, {"start with {"}},
        Broken{"starts_with_space", safetensors_file(" {}", ""), kCorrupt, {"start with {"}},
        Broken{"not_json", safetensors_file("{nope}", ""), kCorrupt, {"invalid JSON"}},
        Broken{"cut_json", safetensors_file(R"({"t":)", ""), kCorrupt, {"invalid JSON"}},
        Broken{"text_behind", safetensors_file("{} x", ""), kCorrupt, {"invalid JSON"}},
        Broken{"nul_behind",
               safetensors_file(std::string_view("{}\0", 3), ""),
               kCorrupt,
               {"invalid JSON"}},
        Broken{"bad_utf8", safetensors_file("{\"\xff\":1}", ""), kCorrupt, {"invalid JSON"}},
        Broken{"duplicate_tensor",
               safetensors_file(R"({"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)"
                                R"("t":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
                                ""),
               kCorrupt,
               {"duplicate key \"t\""}},
        Broken{"deep_json", one(deep(100000)), kCorrupt, {"nesting"}},
        Broken{"metadata_not_object",
               safetensors_file(R"({"__metadata__":[]})", ""),
               kCorrupt,
               {"__metadata__"}},
        Broken{"metadata_not_strings",
               safetensors_file(R"({"__metadata__":{"k":1}})", ""),
               kCorrupt,
               {"__metadata__", "\"k\"", "expected a string"}},
        Broken{
            "data_without_tensors", safetensors_file("{}", "x"), kCorrupt, {"cover 0", "1 bytes"}}),
    [](const auto& broken) { return broken.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Entry, SafetensorsBroken,
    testing::Values(
        Broken{"not_object", one("7"), kCorrupt, {"tensor \"t\"", "expected an object", "7"}},
        Broken{
            "no_dtype", one(R"({"shape":[],"data_offsets":[0,0]})"), kCorrupt, {"\"t\"", "dtype"}},
        Broken{"no_shape",
               one(R"({"dtype":"U8","data_offsets":[0,0]})"),
               kCorrupt,
               {"\"t\"", "shape"}},
        Broken{
            "no_offsets", one(R"({"dtype":"U8","shape":[]})"), kCorrupt, {"\"t\"", "data_offsets"}},
        Broken{"dtype_number",
               one(R"({"dtype":1,"shape":[],"data_offsets":[0,0]})"),
               kCorrupt,
               {"dtype", "expected a string"}},
        Broken{"dtype_unknown",
               one(R"({"dtype":"F33","shape":[],"data_offsets":[0,0]})"),
               kCorrupt,
               {"\"t\"", "F33"}},
        Broken{"dtype_lower_case",
               one(R"({"dtype":"f32","shape":[],"data_offsets":[0,0]})"),
               kCorrupt,
               {"f32"}},
        Broken{"dtype_f4",
               one(R"({"dtype":"F4","shape":[2],"data_offsets":[0,1]})", "x"),
               StatusCode::unsupported,
               {"\"t\"", "F4"}},
        Broken{"dtype_f6",
               one(R"({"dtype":"F6_E3M2","shape":[4],"data_offsets":[0,3]})", "xxx"),
               StatusCode::unsupported,
               {"\"t\"", "F6_E3M2"}},
        Broken{"dtype_e8m0",
               one(R"({"dtype":"F8_E8M0","shape":[1],"data_offsets":[0,1]})", "x"),
               StatusCode::unsupported,
               {"\"t\"", "F8_E8M0"}},
        Broken{"dtype_c64",
               one(R"({"dtype":"C64","shape":[1],"data_offsets":[0,8]})", "xxxxxxxx"),
               StatusCode::unsupported,
               {"\"t\"", "C64"}},
        Broken{"shape_text",
               one(R"({"dtype":"U8","shape":"2","data_offsets":[0,2]})", "xx"),
               kCorrupt,
               {"shape", "expected an array"}},
        Broken{"shape_negative",
               one(R"({"dtype":"U8","shape":[-2,-1],"data_offsets":[0,2]})", "xx"),
               kCorrupt,
               {"shape", "-2"}},
        Broken{"shape_fraction",
               one(R"({"dtype":"U8","shape":[2.0],"data_offsets":[0,2]})", "xx"),
               kCorrupt,
               {"shape", "2.0"}},
        Broken{"shape_huge",
               one(R"({"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,0]})"),
               kCorrupt,
               {"shape", "18446744073709551615"}},
        Broken{"shape_too_long",
               one(R"({"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]})", "x"),
               StatusCode::unsupported,
               {"8 dimensions", "9"}},
        Broken{"elements_overflow",
               one(R"({"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]})"),
               kCorrupt,
               {"overflows"}},
        Broken{"bytes_overflow",
               one(R"({"dtype":"F64","shape":[4611686018427387904],"data_offsets":[0,0]})"),
               kCorrupt,
               {"overflows"}},
        Broken{"offsets_object",
               one(R"({"dtype":"U8","shape":[],"data_offsets":{}})"),
               kCorrupt,
               {"data_offsets"}},
        Broken{"offsets_one",
               one(R"({"dtype":"U8","shape":[],"data_offsets":[0]})"),
               kCorrupt,
               {"data_offsets", "array of 1"}},
        Broken{"offsets_three",
               one(R"({"dtype":"U8","shape":[],"data_offsets":[0,1,2]})"),
               kCorrupt,
               {"data_offsets"}},
        Broken{"offsets_negative",
               one(R"({"dtype":"U8","shape":[1],"data_offsets":[-1,0]})"),
               kCorrupt,
               {"data_offsets", "[-1, 0]"}},
        Broken{"offsets_reversed",
               one(R"({"dtype":"U8","shape":[1],"data_offsets":[1,0]})", "x"),
               kCorrupt,
               {"data_offsets", "[1, 0]"}},
        Broken{"offsets_text",
               one(R"({"dtype":"U8","shape":[1],"data_offsets":["0","1"]})", "x"),
               kCorrupt,
               {"data_offsets"}},
        Broken{"too_few_bytes",
               one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,7]})", "1234567"),
               kCorrupt,
               {"\"t\"", "expected 8 bytes", "[0, 7]"}},
        Broken{"too_many_bytes",
               one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,9]})", "123456789"),
               kCorrupt,
               {"\"t\"", "expected 8 bytes"}}),
    [](const auto& broken) { return broken.param.name; });

std::string two(std::string_view a, std::string_view b, std::string_view data) {
  return safetensors_file(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + std::string(a) +
                              R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" +
                              std::string(b) + "}}",
                          data);
}

INSTANTIATE_TEST_SUITE_P(
    Tiling, SafetensorsBroken,
    testing::Values(
        Broken{"hole_at_start", two("[1,5]", "[5,9]", "123456789"), kCorrupt, {"\"a\"", "hole"}},
        Broken{"hole_between", two("[0,4]", "[5,9]", "123456789"), kCorrupt, {"\"b\"", "hole"}},
        Broken{"overlap", two("[0,4]", "[3,7]", "1234567"), kCorrupt, {"\"b\"", "overlaps"}},
        Broken{"same_place", two("[0,4]", "[0,4]", "1234"), kCorrupt, {"\"b\"", "overlaps"}},
        Broken{"hole_at_end", two("[0,4]", "[4,8]", "123456789"), kCorrupt, {"cover 8", "9 bytes"}},
        Broken{"truncated",
               two("[0,4]", "[4,8]", "1234567"),
               kCorrupt,
               {"\"b\"", "7 bytes", "incomplete"}},
        Broken{"far_away",
               safetensors_file(R"({"t":{"dtype":"U8","shape":[4],)"
                                R"("data_offsets":[9223372036854775803,9223372036854775807]}})",
                                "1234"),
               kCorrupt,
               {"\"t\"", "hole"}}),
    [](const auto& broken) { return broken.param.name; });

TEST(SafetensorsReader, EveryTruncationIsAnError) {
  const std::string file = two("[0,4]", "[4,8]", "12345678");
  ASSERT_TRUE(parse(file));
  for (std::size_t length = 0; length < file.size(); ++length) {
    EXPECT_FALSE(parse(file.substr(0, length))) << length;
  }
}

TEST(SafetensorsReader, HostileTextInMessagesIsTamed) {
  const auto parsed = parse(
      safetensors_file("{\"" + std::string(10000, 'n') +
                           R"(\n\u001b[31m":{"dtype":"\u0007","shape":[],"data_offsets":[0,0]}})",
                       ""));
  ASSERT_FALSE(parsed);
  EXPECT_LT(parsed.error().message().size(), 500u);
  for (const char character : parsed.error().message()) EXPECT_GE(character, ' ');
}

}  // namespace
}  // namespace llm::formats
