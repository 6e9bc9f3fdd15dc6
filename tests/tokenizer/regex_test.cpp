#include "tokenizer/regex.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "tokenizer/regex_dialect.h"

namespace llm::tokenizer {
namespace {

using Strings = std::vector<std::string>;

// The matches, each in brackets, with what lies between them.
std::string marked(const Regex& regex, const std::string& text) {
  MatchBuffer buffer;
  MatchIterator matches(regex, text, buffer);
  std::string out;
  std::size_t rest = 0;
  while (true) {
    const auto found = matches.next();
    if (!found) return "error: " + found.error().message();
    if (!*found) break;
    out += text.substr(rest, matches.begin() - rest) + "[" +
           text.substr(matches.begin(), matches.end() - matches.begin()) + "]";
    rest = matches.end();
  }
  return out + text.substr(rest);
}

std::string marked(const std::string& pattern, const std::string& text) {
  const auto regex = Regex::compile(pattern);
  return regex ? marked(*regex, text) : "refused: " + regex.error().message();
}

TEST(Regex, SplitsLikeGpt2) {
  const char* pattern =
      R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
  EXPECT_EQ(marked(pattern, "I'll say  it's 10\u00B2 caf\u00E9s!!\n\n x"),
            "[I]['ll][ say][ ][ it]['s][ 10\u00B2][ caf\u00E9s][!!][\n\n][ x]");
}

TEST(Regex, ClassesFollowOniguruma) {
  // U+180E is no white space there, but it is in PCRE2.
  EXPECT_EQ(marked(R"(\s)", "a\u180Eb\u3000c\u0085"), "a\u180Eb[\u3000]c[\u0085]");
  EXPECT_EQ(marked(R"([^\S])", "\u180E "), "\u180E[ ]");
  EXPECT_EQ(marked(R"([\S]+)", "\u180Ex y"), "[\u180Ex] [y]");
  // Marks are word characters.
  EXPECT_EQ(marked(R"(\w+)", "e\u0301_\u0661 -"), "[e\u0301_\u0661] -");
  EXPECT_EQ(marked(R"(\h+)", "xfF09g"), "x[fF09]g");
  EXPECT_EQ(marked(R"(\v)", "\n\x0B"), "\n[\x0B]");
  EXPECT_EQ(marked(R"(\p{^L}+|\P{^N})", "a1-"), "a[1-]");
  EXPECT_EQ(marked(R"(\p{Han}+)", "\u4F60\u3005a"), "[\u4F60\u3005]a");
}

TEST(Regex, DollarAndCaretMatchAtEveryLine) {
  EXPECT_EQ(marked(R"(\s+$)", "a  \nb  "), "a[  ]\nb[  ]");
  EXPECT_EQ(marked(R"(^.)", "ab\ncd"), "[a]b\n[c]d");
}

TEST(Regex, CaseInsensitiveGroup) {
  EXPECT_EQ(marked(R"((?i:'s|'ll))", "'S 'Ll 'x '\u017F"), "['S] ['Ll] 'x ['\u017F]");
}

TEST(Regex, IntervalsAreNotPossessive) {
  EXPECT_EQ(marked(R"(\p{N}{1,3}+)", "12345"), "[12345]");
  EXPECT_EQ(marked(R"((?:ab){2}+)", "ababababab"), "[abababab]ab");
  EXPECT_EQ(marked(R"(a{,2})", "aaa"), "[aa][a]");
  EXPECT_EQ(marked(R"(a{x)", "a{x"), "[a{x]");
  EXPECT_EQ(marked(R"(a++b)", "aab"), "[aab]");
}

TEST(Regex, NestedSetsAreUnions) {
  EXPECT_EQ(marked("[^(\\s|[.,!])]+", "ab, c(d"), "[ab], [c]([d]");
}

TEST(Regex, EmptyMatchesDoNotFollowAMatch) {
  EXPECT_EQ(marked("x*", "axxb"), "[]a[xx]b[]");
  EXPECT_EQ(marked("(?=\u4F60)", "\u4F60\u4F60"), "[]\u4F60[]\u4F60");
}

TEST(Regex, LiteralTextIsNoExpression) {
  const auto regex = Regex::compile_literal("a.b");
  ASSERT_TRUE(regex.has_value());
  EXPECT_EQ(marked(*regex, "a.b axb"), "[a.b] axb");
}

// Characters that are newer than the library's tables still have their category.
TEST(Regex, KnowsUnicode16) {
  EXPECT_EQ(marked(R"(\p{L}+)", "a\U00031350\uA7DA1"), "[a\U00031350\uA7DA]1");
  EXPECT_EQ(marked(R"(\p{S})", "\U0001FAE8"), "[\U0001FAE8]");
  EXPECT_EQ(marked(R"(\p{N})", "\U00010D40"), "[\U00010D40]");
}

TEST(Regex, RefusesWhatItCannotTranslate) {
  for (const char* pattern :
       {"(?<name>a)", "(a)\\1", "[[:alpha:]]", "[a&&b]", "[^a[^b]]", "a{2}?", "\\X", "\\K", "(",
        ")", "[a", "a\\", "\\p{L", "a(?i)b", "(?x:a)", "\\xE4", "\\p{Nonsense}", "*a", "(?#c)"}) {
    const auto regex = Regex::compile(pattern);
    ASSERT_FALSE(regex.has_value()) << pattern;
    EXPECT_EQ(regex.error().code(), StatusCode::unsupported) << pattern;
  }
}

// Only PCRE2 looks ahead two characters.
TEST(Regex, CatastrophicBacktrackingIsAnError) {
  const auto regex = Regex::compile("(?:a|aa|a(?=aa))+$");
  ASSERT_TRUE(regex.has_value());
  const std::string result = marked(*regex, std::string(200, 'a') + "b");
  EXPECT_EQ(result.substr(0, 6), "error:") << result;
}

TEST(Regex, NoBacktrackingWhereOneCharacterDecides) {
  const std::string text = std::string(2000, 'a') + "b";
  EXPECT_EQ(marked("(?:a|aa|a(?=a))+$", text), text);
  EXPECT_EQ(marked("(?:a|aa|a(?=a))+", text), "[" + std::string(2000, 'a') + "]b");
}

// A text that is read to its end from every position.
TEST(Regex, TooManyStepsAreAnError) {
  const std::string result = marked("[^b]*b", std::string(30'000, 'a'));
  EXPECT_EQ(result.substr(0, 6), "error:") << result.substr(0, 100);
}

// The trailing white space of long runs must not take quadratic time.
TEST(Regex, LongRunsAreQuick) {
  const auto start = std::chrono::steady_clock::now();
  const std::string spaces(1 << 20, ' ');
  EXPECT_EQ(marked(R"(\s+$)", spaces + "x"), spaces + "x");
  EXPECT_EQ(marked(R"(\s+$)", spaces), "[" + spaces + "]");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

}  // namespace
}  // namespace llm::tokenizer
