// The strict JSON reader: what two readers of one file could disagree about is an error.
#include "core/json.h"

#include <gtest/gtest.h>

#include <string>

namespace llm::core {
namespace {

TEST(ParseJson, ReadsADocument) {
  const auto root = parse_json(R"( {"a": [1, -2, 3.5, true, null, "x\u00e9"]} )", "file.json");
  ASSERT_TRUE(root) << root.error().message();
  EXPECT_EQ((*root)["a"][1], -2);
  EXPECT_EQ((*root)["a"][5], "x\xc3\xa9");
  EXPECT_EQ(*parse_json("18446744073709551615", "x"), 18446744073709551615ull);
}

void expect_refused(const std::string& text, const std::string& mention) {
  const auto root = parse_json(text, "file.json");
  ASSERT_FALSE(root) << text;
  EXPECT_EQ(root.error().code(), StatusCode::corrupt_data);
  EXPECT_TRUE(root.error().message().starts_with("file.json: invalid JSON"))
      << root.error().message();
  EXPECT_NE(root.error().message().find(mention), std::string::npos) << root.error().message();
}

TEST(ParseJson, RefusesWhatIsNotJson) {
  expect_refused("", "at byte 1");
  expect_refused("{", "at byte 2");
  expect_refused("{} {}", "at byte 4");
  expect_refused("[1,]", "at byte 4");
  expect_refused("// comment\n1", "at byte 1");
  expect_refused("{'a':1}", "at byte 2");
  expect_refused("NaN", "at byte");
  expect_refused("1e999", "at byte 5: number overflow");
  expect_refused("\"\xff\"", "UTF-8");
  expect_refused("\"\xed\xa0\x80\"", "UTF-8");  // an encoded surrogate
  expect_refused("\"\\ud800\"", "surrogate");
  expect_refused("\"a\nb\"", "control character");
}

TEST(ParseJson, ANulByteIsNotTheEnd) {
  expect_refused(std::string("{}\0garbage", 10), "NUL");
  expect_refused(std::string("\0", 1), "NUL");
}

TEST(ParseJson, DuplicateKeysAreRefusedAtEveryLevel) {
  expect_refused(R"({"a":1,"a":2})", "duplicate key \"a\"");
  expect_refused(R"([{"x":{"b":1,"b":1}}])", "duplicate key \"b\"");
  expect_refused(R"({"a":1,"\u0061":2})", "duplicate key \"a\"");  // the same key, escaped
  EXPECT_TRUE(parse_json(R"({"a":{"a":1},"b":{"a":2}})", "x")) << "other objects, other keys";
}

std::string nested(std::size_t levels, char open, char close) {
  std::string text;
  for (std::size_t n = 0; n < levels; ++n) text += open == '{' ? "{\"k\":" : "[";
  if (open == '{') text += "0";
  return text + std::string(levels, close);
}

TEST(ParseJson, DepthIsBounded) {
  EXPECT_TRUE(parse_json(nested(64, '[', ']'), "x"));
  EXPECT_TRUE(parse_json(nested(64, '{', '}'), "x"));
  expect_refused(nested(65, '[', ']'), "nesting deeper than 64");
  expect_refused(nested(65, '{', '}'), "nesting deeper than 64");
  expect_refused(std::string(1'000'000, '['), "nesting deeper than 64");
  EXPECT_TRUE(parse_json("[[1]]", "x", {.max_depth = 2}));
  EXPECT_FALSE(parse_json("[[[1]]]", "x", {.max_depth = 2}));
}

TEST(ParseJson, SiblingsDoNotCountAsDepth) {
  std::string text = "[";
  for (int n = 0; n < 1000; ++n) text += "[[]],{\"a\":{}},";
  EXPECT_TRUE(parse_json(text + "[]]", "x"));
}

TEST(ParseJson, MessagesAreBoundedAndPrintable) {
  for (const std::string& text :
       {"\"" + std::string(100000, 'x'), "{\"" + std::string(100000, 'k') + "\":\x01",
        std::string("\"\x1b[31m")}) {
    const auto root = parse_json(text, "file.json");
    ASSERT_FALSE(root);
    EXPECT_LT(root.error().message().size(), 400u);
    for (const char character : root.error().message()) EXPECT_GE(character, ' ');
  }
}

TEST(MemberText, IsTheTextOfTheValueAsItStands) {
  const std::string object =
      R"( {"a" : {"b": [1, "]}\"", 2]} ,"text":"x\\", "n":-1.5e3,"\u006d":[ {"z":1,"a":2} ],"t":true} )";
  ASSERT_TRUE(parse_json(object, "x"));
  EXPECT_EQ(member_text(object, "a"), R"({"b": [1, "]}\"", 2]})");
  EXPECT_EQ(member_text(object, "text"), R"("x\\")");
  EXPECT_EQ(member_text(object, "n"), "-1.5e3");
  EXPECT_EQ(member_text(object, "m"), R"([ {"z":1,"a":2} ])") << "the key may be written escaped";
  EXPECT_EQ(member_text(object, "t"), "true");
  EXPECT_EQ(member_text(object, "b"), "") << "members of members are not looked at";
  EXPECT_EQ(member_text("{}", "a"), "");
}

struct KeyOrder : JsonSink {
  std::string seen;
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return true; }
  bool key(string_t& name) override {
    seen += name;
    return true;
  }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }
};

TEST(ReadJson, SinkSeesMembersInTheOrderOfTheText) {
  KeyOrder order;
  EXPECT_TRUE(read_json(R"({"z":{"y":1,"x":2},"a":[]})", "x", order).ok());
  EXPECT_EQ(order.seen, "zyxa");
  EXPECT_FALSE(read_json(R"({"z":1,"z":2})", "x", order).ok()) << "the strict rules hold";
}

TEST(Json, FloatsAreWrittenAsTheyWereGiven) {
  EXPECT_EQ(float_json(1.3F).dump(), "1.3");
  EXPECT_EQ(float_json(0.0F).dump(), "0.0");
  EXPECT_EQ(float_json(-100.0F).dump(), "-100.0");
  EXPECT_TRUE(float_json(1.0F / 0.0F).is_null());
}

}  // namespace
}  // namespace llm::core
