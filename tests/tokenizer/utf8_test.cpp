#include "tokenizer/utf8.h"

#include <gtest/gtest.h>

#include "tokenizer/utf8_repair.h"

namespace llm::tokenizer {
namespace {

// One U+FFFD per maximal invalid subpart, as the Unicode standard recommends and Python does.
TEST(Utf8, ReplacesMaximalInvalidSubparts) {
  const std::pair<std::string, std::string> cases[] = {
      {"plain", "plain"},
      {"\xC3\xA9\xE4\xBD\xA0\xF0\x9F\x98\x80", "\u00E9\u4F60\U0001F600"},
      {"\x80", "\uFFFD"},
      {"a\xFF\xFE", "a\uFFFD\uFFFD"},
      {"\xC0\xAF", "\uFFFD\uFFFD"},                      // overlong
      {"\xE0\x80\x80", "\uFFFD\uFFFD\uFFFD"},            // overlong
      {"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},            // a surrogate
      {"\xF4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},  // above U+10FFFF
      {"\xF0\x9F\x98", "\uFFFD"},                        // incomplete: one subpart
      {"\xF0\x9F\x98z", "\uFFFDz"},
      {"\xE4\xBD\xE4\xBD\xA0", "\uFFFD\u4F60"},
      {"long enough for the fast path \xE4 and on and on",
       "long enough for the fast path \uFFFD and on and on"},
  };
  for (const auto& [bytes, text] : cases) {
    EXPECT_EQ(replace_invalid_utf8(bytes), text);
    EXPECT_EQ(is_valid_utf8(bytes), bytes == text);
    EXPECT_TRUE(is_valid_utf8(replace_invalid_utf8(bytes)));
  }
}

TEST(Utf8, EveryScalarValueRoundTrips) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    const std::string text = to_utf8(c);
    const Utf8Char read = decode_utf8(text, 0);
    ASSERT_TRUE(read.valid && read.code_point == c && read.length == text.size())
        << static_cast<std::uint32_t>(c);
    ASSERT_EQ(utf8_length(text[0]), text.size());
    ASSERT_EQ(decode_valid_utf8(text.data(), text.size()), c);
  }
}

// However the bytes are cut into pieces, the text is the same.
TEST(Utf8Repair, DoesNotDependOnThePieces) {
  const std::string bytes = "a\xC3\xA9\xE4\xBD\xE4\xBD\xA0\xFF\xF0\x9F\x98\x80 \xF0\x9F";
  const std::string expected = replace_invalid_utf8(bytes);
  for (std::size_t size = 1; size <= bytes.size(); ++size) {
    Utf8Repair repair;
    std::string text;
    for (std::size_t at = 0; at < bytes.size(); at += size) {
      repair.push(std::string_view(bytes).substr(at, size), text);
      EXPECT_TRUE(is_valid_utf8(text));
    }
    repair.finish(text);
    EXPECT_EQ(text, expected) << "pieces of " << size;
    EXPECT_FALSE(repair.holding());
  }
}

TEST(Utf8Repair, HoldsOnlyWhatMayBecomeACharacter) {
  Utf8Repair repair;
  std::string text;
  repair.push("x\xE4\xBD", text);
  EXPECT_EQ(text, "x");
  EXPECT_TRUE(repair.holding());
  repair.push("\xA0", text);
  EXPECT_EQ(text, "x\u4F60");
  EXPECT_FALSE(repair.holding());
}

}  // namespace
}  // namespace llm::tokenizer
