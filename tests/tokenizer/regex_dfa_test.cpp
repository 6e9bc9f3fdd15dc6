// Expressions as a table of states against the same expressions in PCRE2.
#include "tokenizer/regex_dfa.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tokenizer/gguf_pre_split.h"
#include "tokenizer/regex.h"
#include "tokenizer/regex_dialect.h"
#include "tokenizer/unicode_updates.h"

namespace llm::tokenizer {
namespace {

using Places = std::vector<std::pair<std::size_t, std::size_t>>;

Places matches(const Regex& regex, std::string_view text) {
  MatchBuffer buffer;
  MatchIterator iterator(regex, text, buffer);
  Places places;
  while (true) {
    const auto found = iterator.next();
    EXPECT_TRUE(found.has_value()) << found.error().message();
    if (!found || !*found) return places;
    places.emplace_back(iterator.begin(), iterator.end());
  }
}

bool has_dfa(std::string_view pattern) {
  const auto translated = oniguruma_to_pcre2(pattern);
  return translated.has_value() && RegexDfa::compile(*translated).has_value();
}

// An atomic group changes nothing around a whole expression, but only PCRE2 knows it.
std::string for_pcre2(std::string_view pattern) { return "(?>" + std::string(pattern) + ")"; }

bool is_assigned_alike(char32_t c) {
  return !(c >= 0xD800 && c <= 0xDFFF) && older_equivalent(c) == c;
}

std::string random_text(std::mt19937& random, std::size_t length) {
  constexpr std::string_view kCommon = "aBst'LLve 12\n\r\t !./-_$";
  constexpr char32_t kEnds[] = {0x80, 0x250, 0x600, 0x1000, 0x3000, 0x10000, 0x20000, 0x110000};
  std::string text;
  while (length-- > 0) {
    char32_t c = static_cast<unsigned char>(kCommon[random() % kCommon.size()]);
    if (random() % 3 == 0) c = static_cast<char32_t>(random() % kEnds[random() % std::size(kEnds)]);
    const std::size_t times = random() % 20 == 0 ? random() % 9 : 1;
    for (std::size_t time = 0; time < times && is_assigned_alike(c); ++time) append_utf8(text, c);
  }
  return text;
}

// On `rounds` random texts.
void expect_same(std::string_view pattern, std::mt19937& random, int rounds) {
  const auto regex = Regex::compile(pattern), reference = Regex::compile(for_pcre2(pattern));
  ASSERT_TRUE(regex.has_value() && reference.has_value()) << pattern;
  EXPECT_TRUE(has_dfa(pattern)) << pattern;
  for (int round = 0; round < rounds; ++round) {
    const std::string text = random_text(random, 250);
    ASSERT_EQ(matches(*regex, text), matches(*reference, text)) << pattern << "\non " << text;
  }
}

// Every pre-split of GGUF files, which are those of the published tokenizers.
TEST(RegexDfa, PreSplits) {
  std::mt19937 random(3);
  for (const char* name :
       {"default", "llama3", "qwen2", "qwen35", "gpt-2", "starcoder", "falcon", "deepseek-llm",
        "deepseek-coder", "deepseek-v3", "tekken", "gpt-4o", "bloom", "viking"}) {
    const GgufPreSplit* pre = find_gguf_pre_split(name);
    ASSERT_NE(pre, nullptr) << name;
    for (const std::string_view pattern : pre->expressions) expect_same(pattern, random, 100);
  }
}

TEST(RegexDfa, Constructs) {
  std::mt19937 random(4);
  for (const std::string_view pattern : {"a|ab|abc",      "ab?",
                                         "a*?b",          "(?:a|b)+?1",
                                         "a{2}",          "a{2,}",
                                         "a{1,3}",        "a{0,2}?B",
                                         "[^a\\s]+",      "[a-s\\p{N}-]+",
                                         "(?i:'ll|'S)t?", ".+",
                                         "(?m:.+)",       "a$",
                                         "\\s+$",         "a(?=B)",
                                         "a(?!B)",        "(?<=a)B",
                                         "(?<!a)B+",      "(?<![ ])[ ]+(?=a)",
                                         "\\P{L}+",       "[\\P{L}]+",
                                         "[^\\P{Lu}]+",   "[\\S]+ ",
                                         "\\d+|\\D",      "x*",
                                         "(?=a)",         "\\x{61}[\\x{41}-\\x{5A}]",
                                         "[[a-c][1-2]]+"}) {
    expect_same(pattern, random, 60);
  }
}

TEST(RegexDfa, EveryCharacterOfEveryCategory) {
  std::string text;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (is_assigned_alike(c)) append_utf8(text, c);
  }
  for (const char* name : {"L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "N", "Nd", "P", "S", "Z", "C"}) {
    const std::string pattern = std::string("\\p{") + name + "}+";
    const auto regex = Regex::compile(pattern), reference = Regex::compile(for_pcre2(pattern));
    EXPECT_EQ(matches(*regex, text), matches(*reference, text)) << pattern;
  }
}

// A range holds the characters themselves, also those whose category is read from an older one.
TEST(RegexDfa, RangesHoldNewCharacters) {
  const auto regex = Regex::compile("[\\x{1C80}-\\x{1C8F}]+|\\p{Lu}");
  EXPECT_EQ(matches(*regex, "\u1C88\u1C89\uA790"), (Places{{0, 6}, {6, 9}}));
}

TEST(RegexDfa, LeavesTheRestToPcre2) {
  for (const std::string_view pattern : {"(?>a)", "a++", "(?=ab)", "\\p{Han}", "^a", "\\w",
                                         "(?:a*)*", "(?:a{500}){500}", "(?i:\u00E9)", "\\z"}) {
    EXPECT_FALSE(has_dfa(pattern)) << pattern;
    EXPECT_TRUE(Regex::compile(pattern).has_value()) << pattern;
  }
}

}  // namespace
}  // namespace llm::tokenizer
