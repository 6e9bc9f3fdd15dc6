// What Python's str methods do to characters beyond ASCII.
#include "chat/unicode.h"

#include <gtest/gtest.h>

namespace llm::chat {
namespace {

TEST(ChatUnicode, CaseMappings) {
  EXPECT_EQ(to_upper("straße ŉ ﬁ ǆ ΐ"), "STRASSE ʼN FI Ǆ \u0399\u0308\u0301");
  EXPECT_EQ(to_lower("İSTANBUL ΑΣ ΣΑΣ. Σ"), "i̇stanbul ας σας. σ");
  EXPECT_EQ(to_title("they're ǆ ﬁne"), "They'Re ǅ Fine");
  EXPECT_EQ(capitalize("ǆ ABC"), "ǅ abc");
  EXPECT_EQ(swap_case("aBß"), "AbSS");
  EXPECT_EQ(fold_case("Straße"), "strasse");
}

TEST(ChatUnicode, WhiteSpaceIsPythons) {
  EXPECT_EQ(strip_left("\u00a0\u2003\x1c\tx "), "x ");
  EXPECT_EQ(strip_right("x\u3000\u2028\x85"), "x\u3000\u2028\x85") << "\\x85 alone is no character";
  EXPECT_EQ(strip_right("x\u3000\u2028\u0085\v"), "x");
  EXPECT_EQ(strip_right("\u200b"), "\u200b") << "zero width space is none";
}

TEST(ChatUnicode, Classes) {
  EXPECT_TRUE(is_digit(U'²') && !is_decimal(U'²') && is_numeric(U'½') && is_numeric(U'五'));
  EXPECT_FALSE(is_digit(U'½'));
  EXPECT_TRUE(is_alphabetic(U'五') && is_lowercase(U'ª') && is_uppercase(U'Ⓐ'));
  EXPECT_FALSE(is_printable(U'\u00ad') || is_printable(U'\u2028') || is_printable(U'\ue000'));
  EXPECT_TRUE(is_printable(U'é') && is_printable(U' ') && is_printable(U'😀'));
}

}  // namespace
}  // namespace llm::chat
