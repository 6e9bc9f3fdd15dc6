#include "formats/gguf_reader.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "formats/file_builder.h"

namespace llm::formats {
namespace {

Result<GgufContents> parse(const std::string& file) {
  return parse_gguf(as_bytes(file), "file.gguf");
}

/// One pair of the given type, the value already encoded.
Bytes pair(std::string_view key, GgufType type, const std::string& value) {
  return Bytes().string(key).u32(static_cast<std::uint32_t>(type)).raw(value);
}

Bytes array(GgufType type, std::uint64_t count, const std::string& items) {
  return Bytes().u32(static_cast<std::uint32_t>(type)).u64(count).raw(items);
}

std::string with_pair(const std::string& encoded_pair) {
  return gguf_header(0, 1).raw(encoded_pair);
}

/// A file of one pair and two tensors: a (2, 32) matrix of q8_0 and an f32 vector of 3.
std::string small_file(std::uint32_t version = 3) {
  return gguf_header(2, 1, version)
      .raw(pair("general.architecture", GgufType::string, Bytes().string("llama")))
      .raw(gguf_tensor("weight", {32, 2}, 8, 0))
      .raw(gguf_tensor("norm", {3}, 0, 96))
      .pad_to(32)
      .fill(68, 'w')
      .pad_to(32)
      .fill(12, 'n');
}

TEST(GgufReader, ReadsTensors) {
  for (const std::uint32_t version : {2u, 3u}) {
    const std::string file = small_file(version);
    const auto parsed = parse(file);
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_EQ(parsed->version, version);
    ASSERT_EQ(parsed->tensors.size(), 2u);
    const TensorEntry& weight = parsed->tensors[0];
    EXPECT_EQ(weight.name, "weight");
    EXPECT_EQ(weight.view.dtype, DType::q8_0);
    EXPECT_EQ(weight.view.shape, (core::Shape{2, 32}));  // outermost first
    EXPECT_EQ(weight.view.bytes, 68u);
    EXPECT_EQ(static_cast<char>(weight.view.data[0]), 'w');
    EXPECT_EQ(static_cast<char>(weight.view.data[67]), 'w');
    const TensorEntry& norm = parsed->tensors[1];
    EXPECT_EQ(norm.view.shape, (core::Shape{3}));
    EXPECT_EQ(static_cast<char>(norm.view.data[0]), 'n');
    EXPECT_EQ(static_cast<char>(norm.view.data[11]), 'n');
  }
}

TEST(GgufReader, ReadsEveryValueType) {
  const std::string file =
      gguf_header(0, 12)
          .raw(pair("u8", GgufType::u8, Bytes().u8(255)))
          .raw(pair("i8", GgufType::i8, Bytes().u8(255)))
          .raw(pair("u16", GgufType::u16, Bytes().u16(65535)))
          .raw(pair("i16", GgufType::i16, Bytes().u16(65535)))
          .raw(pair("u32", GgufType::u32, Bytes().u32(4294967295)))
          .raw(pair("i32", GgufType::i32, Bytes().i32(-5)))
          .raw(pair("f32", GgufType::f32, Bytes().f32(0.5f)))
          .raw(pair("bool", GgufType::boolean, Bytes().u8(1)))
          .raw(pair("string", GgufType::string, Bytes().string(std::string_view("a\0b", 3))))
          .raw(pair("u64", GgufType::u64, Bytes().u64(9223372036854775807ull)))
          .raw(pair("i64", GgufType::i64, Bytes().u64(~0ull)))
          .raw(pair("f64", GgufType::f64, Bytes().f64(0.1)));
  const auto parsed = parse(file);
  ASSERT_TRUE(parsed) << parsed.error().message();
  const GgufMetadata& metadata = parsed->metadata;
  EXPECT_EQ(**metadata.get_int("u8"), 255);
  EXPECT_EQ(**metadata.get_int("i8"), -1);
  EXPECT_EQ(**metadata.get_int("u16"), 65535);
  EXPECT_EQ(**metadata.get_int("i16"), -1);
  EXPECT_EQ(**metadata.get_int("u32"), 4294967295);
  EXPECT_EQ(**metadata.get_int("i32"), -5);
  EXPECT_EQ(**metadata.get_float("f32"), 0.5);
  EXPECT_EQ(**metadata.get_bool("bool"), true);
  EXPECT_EQ(**metadata.get_string("string"), std::string("a\0b", 3));
  EXPECT_EQ(**metadata.get_int("u64"), 9223372036854775807);
  EXPECT_EQ(**metadata.get_int("i64"), -1);
  EXPECT_EQ(**metadata.get_float("f64"), 0.1);
  EXPECT_EQ(metadata.stored_type("i16"), GgufType::i16);
}

TEST(GgufReader, ReadsArrays) {
  const auto parsed = parse(
      gguf_header(0, 5)
          .raw(pair("ints", GgufType::array, array(GgufType::i32, 2, Bytes().i32(-1).i32(7))))
          .raw(pair("floats", GgufType::array, array(GgufType::f32, 1, Bytes().f32(-1000))))
          .raw(pair("bools", GgufType::array, array(GgufType::boolean, 2, Bytes().u8(0).u8(1))))
          .raw(pair("strings", GgufType::array,
                    array(GgufType::string, 2, Bytes().string("").string("two"))))
          .raw(pair("empty", GgufType::array, array(GgufType::string, 0, ""))));
  ASSERT_TRUE(parsed) << parsed.error().message();
  const GgufMetadata& metadata = parsed->metadata;
  EXPECT_EQ(**metadata.get_ints("ints"), (std::vector<std::int64_t>{-1, 7}));
  EXPECT_EQ(**metadata.get_floats("floats"), (std::vector<double>{-1000}));
  EXPECT_EQ(**metadata.get_strings("strings"), (std::vector<std::string>{"", "two"}));
  EXPECT_EQ((*metadata.get_ints("empty"))->size(), 0u);
  EXPECT_EQ((*metadata.get_strings("empty"))->size(), 0u);
  EXPECT_EQ(std::get<std::vector<bool>>(std::get<GgufArray>(metadata.values().at("bools"))),
            (std::vector<bool>{false, true}));
}

TEST(GgufReader, HonoursTheAlignment) {
  const std::string file = gguf_header(2, 1)
                               .raw(pair("general.alignment", GgufType::u32, Bytes().u32(64)))
                               .raw(gguf_tensor("a", {1}, 0, 0))
                               .raw(gguf_tensor("b", {1}, 0, 64))
                               .pad_to(64)
                               .raw("aaaa")
                               .pad_to(64)
                               .raw("bbbb");
  const auto parsed = parse(file);
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(parsed->alignment, 64u);
  EXPECT_EQ(static_cast<char>(*parsed->tensors[1].view.data), 'b');
}

TEST(GgufReader, AVocabularyAloneNeedsNoData) {
  EXPECT_TRUE(parse(gguf_header(0, 0)));
  EXPECT_TRUE(parse(with_pair(pair("a", GgufType::u8, Bytes().u8(1)))));
}

TEST(GgufReader, ScalarsAndTrailingBytesAreAccepted) {
  const auto parsed =
      parse(gguf_header(1, 0).raw(gguf_tensor("s", {}, 0, 0)).pad_to(32).raw("1234").fill(100));
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(parsed->tensors[0].view.shape, core::Shape());
}

struct Broken {
  std::string name;
  std::string file;
  StatusCode code;
  std::vector<std::string> mentions;

  friend void PrintTo(const Broken& broken, std::ostream* out) { *out << broken.name; }
};

class GgufBroken : public testing::TestWithParam<Broken> {};

TEST_P(GgufBroken, IsRefusedWithTheReason) {
  const auto parsed = parse(GetParam().file);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code(), GetParam().code);
  EXPECT_TRUE(parsed.error().message().starts_with("file.gguf: ")) << parsed.error().message();
  EXPECT_EQ(parsed.error().message().find('\n'), std::string::npos);
  for (const std::string& text : GetParam().mentions) {
    EXPECT_NE(parsed.error().message().find(text), std::string::npos)
        << "\"" << parsed.error().message() << "\" should mention " << text;
  }
}

constexpr auto kCorrupt = StatusCode::corrupt_data;
constexpr auto kUnsupported = StatusCode::unsupported;
constexpr std::uint64_t kHuge = ~0ull;
const auto param_name = [](const auto& broken) { return broken.param.name; };

INSTANTIATE_TEST_SUITE_P(
    Header, GgufBroken,
    testing::Values(
        Broken{"empty", "", kCorrupt, {"magic", "\"\""}},
        Broken{"wrong_magic", "GGML....................", kCorrupt, {"magic", "GGML"}},
        Broken{"version_0", gguf_header(0, 0, 0), kUnsupported, {"version", "found 0"}},
        Broken{"version_1", gguf_header(0, 0, 1), kUnsupported, {"version", "2 or 3", "found 1"}},
        Broken{"version_4", gguf_header(0, 0, 4), kUnsupported, {"found 4"}},
        Broken{"big_endian", gguf_header(0, 0, 0x03000000), kUnsupported, {"big-endian"}},
        Broken{"hostile_tensor_count", gguf_header(kHuge, 0), kCorrupt, {"tensor count"}},
        Broken{"hostile_tensor_count_2", gguf_header(1ull << 60, 0), kCorrupt, {"tensor count"}},
        Broken{"hostile_pair_count", gguf_header(0, kHuge), kCorrupt, {"metadata count"}},
        Broken{"hostile_pair_count_2",
               gguf_header(0, 1ull << 33).fill(64),
               kCorrupt,
               {"metadata count", "8589934592"}}),
    param_name);

INSTANTIATE_TEST_SUITE_P(
    Metadata, GgufBroken,
    testing::Values(
        Broken{"empty_key",
               with_pair(pair("", GgufType::u8, Bytes().u8(1))),
               kCorrupt,
               {"key is empty"}},
        Broken{"key_longer_than_file",
               with_pair(Bytes().u64(1000).fill(30)),
               kCorrupt,
               {"1000 bytes"}},
        Broken{"key_huge", with_pair(Bytes().u64(kHuge).fill(30)), kCorrupt, {"metadata pair 0"}},
        Broken{"key_above_limit",
               with_pair(pair(std::string(65536, 'k'), GgufType::u8, Bytes().u8(1))),
               kCorrupt,
               {"65536", "65535"}},
        Broken{"duplicate_key",
               gguf_header(0, 2)
                   .raw(pair("k", GgufType::u8, Bytes().u8(1)))
                   .raw(pair("k", GgufType::u16, Bytes().u16(1))),
               kCorrupt,
               {"\"k\"", "twice"}},
        Broken{"unknown_type",
               with_pair(Bytes().string("k").u32(13).u64(0)),
               kCorrupt,
               {"\"k\"", "unknown type 13"}},
        Broken{"value_cut",
               with_pair(pair("key", GgufType::f64, Bytes().u32(1))),
               kCorrupt,
               {"\"key\"", "ends too early"}},
        Broken{"string_longer_than_file",
               with_pair(pair("k", GgufType::string, Bytes().u64(100))),
               kCorrupt,
               {"\"k\"", "100 bytes"}},
        Broken{"string_huge",
               with_pair(pair("k", GgufType::string, Bytes().u64(kHuge))),
               kCorrupt,
               {"\"k\""}},
        Broken{"u64_above_signed",
               with_pair(pair("k", GgufType::u64, Bytes().u64(1ull << 63))),
               kCorrupt,
               {"\"k\"", "9223372036854775808"}},
        Broken{"array_huge",
               with_pair(pair("k", GgufType::array, array(GgufType::u8, kHuge, "x"))),
               kCorrupt,
               {"\"k\"", "cannot fit"}},
        Broken{"array_wrapping",
               with_pair(pair("k", GgufType::array,
                              array(GgufType::u64, (1ull << 61) + 1, Bytes().u64(1)))),
               kCorrupt,
               {"\"k\"", "cannot fit"}},
        Broken{"array_of_strings_huge",
               with_pair(pair("k", GgufType::array,
                              array(GgufType::string, 1ull << 40, Bytes().u64(0)))),
               kCorrupt,
               {"\"k\"", "cannot fit"}},
        Broken{"array_string_beyond",
               with_pair(pair("k", GgufType::array,
                              array(GgufType::string, 1, Bytes().u64(5).raw("1234")))),
               kCorrupt,
               {"\"k\"", "5 bytes"}},
        Broken{"array_of_arrays",
               with_pair(pair("k", GgufType::array,
                              array(GgufType::array, 1, array(GgufType::u8, 1, Bytes().u8(1))))),
               kUnsupported,
               {"\"k\"", "array of arrays"}},
        Broken{"array_unknown_type",
               with_pair(pair("k", GgufType::array, Bytes().u32(99).u64(1).u64(1))),
               kCorrupt,
               {"\"k\"", "unknown type 99"}},
        Broken{"alignment_zero",
               with_pair(pair("general.alignment", GgufType::u32, Bytes().u32(0))),
               kCorrupt,
               {"general.alignment", "power of two"}},
        Broken{"alignment_odd",
               with_pair(pair("general.alignment", GgufType::u32, Bytes().u32(48))),
               kCorrupt,
               {"general.alignment", "48"}},
        Broken{"alignment_huge",
               with_pair(pair("general.alignment", GgufType::u64, Bytes().u64(1ull << 62))),
               kCorrupt,
               {"general.alignment"}},
        Broken{"alignment_text",
               with_pair(pair("general.alignment", GgufType::string, Bytes().string("32"))),
               kCorrupt,
               {"general.alignment", "expected an integer", "found a string"}}),
    param_name);

std::string with_tensor(const std::string& info, std::size_t data = 4096) {
  return gguf_header(1, 0).raw(info).pad_to(32).fill(data);
}

INSTANTIATE_TEST_SUITE_P(
    Tensors, GgufBroken,
    testing::Values(Broken{"name_too_long",
                           with_tensor(gguf_tensor(std::string(64, 'n'), {1}, 0, 0)),
                           kCorrupt,
                           {"name of tensor 0", "64 bytes", "at most 63"}},
                    Broken{"name_huge",
                           with_tensor(Bytes().u64(kHuge).fill(40)),
                           kCorrupt,
                           {"name of tensor 0"}},
                    Broken{"five_dimensions",
                           with_tensor(gguf_tensor("t", {1, 1, 1, 1, 1}, 0, 0)),
                           kCorrupt,
                           {"\"t\"", "at most 4", "found 5"}},
                    Broken{"hostile_dimension_count",
                           with_tensor(Bytes().string("t").u32(~0u).fill(64)),
                           kCorrupt,
                           {"\"t\"", "4294967295"}},
                    Broken{"dimension_negative",
                           with_tensor(gguf_tensor("t", {1ull << 63}, 0, 0)),
                           kCorrupt,
                           {"\"t\"", "9223372036854775808"}},
                    Broken{"elements_overflow",
                           with_tensor(gguf_tensor("t", {1ull << 32, 1ull << 32}, 0, 0)),
                           kCorrupt,
                           {"\"t\"", "overflows"}},
                    Broken{"bytes_overflow",
                           with_tensor(gguf_tensor("t", {1ull << 62}, 0, 0)),
                           kCorrupt,
                           {"\"t\"", "overflows"}},
                    Broken{"not_a_block_multiple",
                           with_tensor(gguf_tensor("t", {48, 2}, 8, 0)),
                           kCorrupt,
                           {"\"t\"", "48", "q8_0", "multiple of 32"}},
                    Broken{"not_a_super_block_multiple",
                           with_tensor(gguf_tensor("t", {128}, 12, 0)),
                           kCorrupt,
                           {"q4_k", "256"}},
                    Broken{"type_iq2_xxs",
                           with_tensor(gguf_tensor("t", {256}, 16, 0)),
                           kUnsupported,
                           {"\"t\"", "16", "iq2_xxs"}},
                    Broken{"type_removed",
                           with_tensor(gguf_tensor("t", {256}, 4, 0)),
                           kUnsupported,
                           {"\"t\"", "removed"}},
                    Broken{"type_of_a_fork",
                           with_tensor(gguf_tensor("t", {256}, 137, 0)),
                           kUnsupported,
                           {"\"t\"", "137", "fork"}},
                    Broken{"type_unknown",
                           with_tensor(gguf_tensor("t", {256}, 77, 0)),
                           kUnsupported,
                           {"\"t\"", "77", "unknown"}},
                    Broken{"first_offset",
                           with_tensor(gguf_tensor("t", {1}, 0, 32)),
                           kCorrupt,
                           {"\"t\"", "expected 0", "found 32"}},
                    Broken{"misaligned_offset",
                           with_tensor(gguf_tensor("t", {1}, 0, 4)),
                           kCorrupt,
                           {"\"t\"", "found 4"}},
                    Broken{"overlap",
                           gguf_header(2, 0)
                               .raw(gguf_tensor("a", {16}, 0, 0))
                               .raw(gguf_tensor("b", {16}, 0, 32))
                               .pad_to(32)
                               .fill(256),
                           kCorrupt,
                           {"\"b\"", "expected 64", "found 32"}},
                    Broken{"gap",
                           gguf_header(2, 0)
                               .raw(gguf_tensor("a", {16}, 0, 0))
                               .raw(gguf_tensor("b", {16}, 0, 96))
                               .pad_to(32)
                               .fill(256),
                           kCorrupt,
                           {"\"b\"", "found 96"}},
                    Broken{"duplicate_tensor",
                           gguf_header(2, 0)
                               .raw(gguf_tensor("a", {8}, 0, 0))
                               .raw(gguf_tensor("a", {8}, 0, 32))
                               .pad_to(32)
                               .fill(256),
                           kCorrupt,
                           {"\"a\"", "twice"}},
                    Broken{"data_missing",
                           gguf_header(1, 0).raw(gguf_tensor("t", {1}, 0, 0)),
                           kCorrupt,
                           {"\"t\"", "expected 4 bytes", "0 bytes"}},
                    Broken{"empty_tensor_beyond_the_end",
                           gguf_header(1, 0).raw(gguf_tensor("t", {0}, 0, 0)),
                           kCorrupt,
                           {"\"t\"", "0 bytes"}},
                    Broken{"data_short",
                           with_tensor(gguf_tensor("t", {8}, 0, 0), 31),
                           kCorrupt,
                           {"\"t\"", "32 bytes", "31 bytes", "incomplete"}},
                    Broken{"data_enormous",
                           with_tensor(gguf_tensor("t", {1ull << 50}, 0, 0)),
                           kCorrupt,
                           {"\"t\""}}),
    param_name);

TEST(GgufReader, EveryTruncationIsAnError) {
  const std::string file = small_file();
  for (std::size_t length = 0; length < file.size(); ++length) {
    const auto parsed = parse(file.substr(0, length));
    EXPECT_FALSE(parsed) << length;
  }
}

TEST(GgufMetadata, GettersNameKeyExpectedAndFound) {
  GgufMetadata metadata;
  ASSERT_TRUE(metadata.insert("n", std::int64_t{3}));
  ASSERT_TRUE(metadata.insert("x", 0.5));
  ASSERT_TRUE(metadata.insert("list", GgufArray(std::vector<double>{1, 2})));
  EXPECT_FALSE(metadata.insert("n", 1.0));
  EXPECT_EQ(**metadata.get_float("n"), 3.0);
  EXPECT_FALSE(metadata.get_int("absent")->has_value());
  EXPECT_EQ(*metadata.get_ints("absent"), nullptr);
  EXPECT_EQ(metadata.get_int("x").error().message(),
            "metadata key \"x\": expected an integer, found a float");
  EXPECT_EQ(metadata.get_strings("list").error().message(),
            "metadata key \"list\": expected an array of strings, found an array of floats");
  EXPECT_FALSE(metadata.get_ints("n"));
  EXPECT_FALSE(metadata.get_bool("n"));
  EXPECT_TRUE(metadata.erase("n"));
  EXPECT_FALSE(metadata.erase("n"));
  EXPECT_FALSE(metadata.contains("n"));
}

TEST(GgufMetadata, ChoosesTheTypesOtherReadersExpect) {
  GgufMetadata metadata;
  ASSERT_TRUE(metadata.insert("count", std::int64_t{32}));
  ASSERT_TRUE(metadata.insert("negative", std::int64_t{-1}));
  ASSERT_TRUE(metadata.insert("wide", std::int64_t{1} << 40));
  ASSERT_TRUE(metadata.insert("eps", 1e-5));
  ASSERT_TRUE(metadata.insert("types", GgufArray(std::vector<std::int64_t>{1, 3})));
  EXPECT_EQ(metadata.stored_type("count"), GgufType::u32);
  EXPECT_EQ(metadata.stored_type("negative"), GgufType::i32);
  EXPECT_EQ(metadata.stored_type("wide"), GgufType::i64);
  EXPECT_EQ(metadata.stored_type("eps"), GgufType::f32);
  EXPECT_EQ(metadata.stored_type("types"), GgufType::i32);
  EXPECT_EQ(metadata.stored_type("absent"), std::nullopt);
}

}  // namespace
}  // namespace llm::formats
