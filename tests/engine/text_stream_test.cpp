// Token texts are released as soon as they are certain and not before: complete UTF-8, and no text
// that a stop string may still swallow.
#include "engine/text_stream.h"

#include <gtest/gtest.h>

#include <map>

#include "engine/listed_tokens.h"

namespace llm::engine {
namespace {

struct Outcome {
  std::vector<std::string> texts;        // of the released events, in order
  std::vector<std::size_t> released_at;  // events known after each push
  bool stopped = false;
  std::string matched;

  std::string text() const {
    std::string all;
    for (const std::string& piece : texts) all += piece;
    return all;
  }
};

// Pushes the tokens one after the other, until a stop string matches or they are over.
Outcome stream(const std::vector<std::string>& tokens, const std::vector<std::string>& stop,
               std::size_t min_tokens = 0) {
  const ListedTokens tokenizer(tokens);
  TextStream text(tokenizer, stop, /*continues_text=*/true);
  std::vector<TokenEvent> events;
  Outcome outcome;
  for (std::size_t i = 0; i < tokens.size() && !outcome.stopped; ++i) {
    TokenEvent event;
    event.index = static_cast<std::int64_t>(i);
    event.id = static_cast<std::int32_t>(i);
    outcome.stopped = text.push(event, i + 1 >= min_tokens, events);
    outcome.released_at.push_back(events.size());
  }
  if (!outcome.stopped) text.finish(events);
  outcome.matched = text.matched_stop();
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].index, static_cast<std::int64_t>(i));
    outcome.texts.push_back(events[i].text);
  }
  return outcome;
}

TEST(TextStream, PlainTokensComeOutAtOnce) {
  const Outcome outcome = stream({"Hello", ",", " world"}, {});
  EXPECT_EQ(outcome.texts, (std::vector<std::string>{"Hello", ",", " world"}));
  EXPECT_EQ(outcome.released_at, (std::vector<std::size_t>{1, 2, 3}));
}

TEST(TextStream, IncompleteCharactersWaitForTheirLastByte) {
  const Outcome outcome = stream({"a", "\xF0\x9F", "\x98", "\x80", "b"}, {});
  EXPECT_EQ(outcome.text(),
            "a\xF0\x9F\x98\x80"
            "b");
  EXPECT_EQ(outcome.released_at, (std::vector<std::size_t>{1, 1, 1, 4, 5}));
}

TEST(TextStream, ACharacterCutOffByTheEndIsReplaced) {
  const Outcome outcome = stream({"a", "\xE2\x82"}, {});
  EXPECT_EQ(outcome.text(), "a\xEF\xBF\xBD");
  EXPECT_EQ(outcome.texts.size(), 2u);
}

TEST(TextStream, StopStringInsideOneToken) {
  const Outcome outcome = stream({"one", " two END three", " four"}, {"END"});
  EXPECT_TRUE(outcome.stopped);
  EXPECT_EQ(outcome.matched, "END");
  EXPECT_EQ(outcome.text(), "one two ");
  EXPECT_EQ(outcome.texts.size(), 2u);
}

TEST(TextStream, StopStringAcrossTokensIsNeverShown) {
  const Outcome outcome = stream({"x\n", "Us", "er", ":", " no"}, {"\nUser:"});
  EXPECT_TRUE(outcome.stopped);
  EXPECT_EQ(outcome.text(), "x");
  EXPECT_EQ(outcome.released_at, (std::vector<std::size_t>{0, 0, 0, 4}));
}

TEST(TextStream, ABrokenOffPrefixIsReleased) {
  const Outcome outcome = stream({"a\n", "Us", "ual"}, {"\nUser:"});
  EXPECT_FALSE(outcome.stopped);
  EXPECT_EQ(outcome.text(), "a\nUsual");
  EXPECT_EQ(outcome.released_at, (std::vector<std::size_t>{0, 0, 3}));
}

TEST(TextStream, AHeldPrefixComesOutAtTheEnd) {
  const Outcome outcome = stream({"a", "ST"}, {"STOP"});
  EXPECT_FALSE(outcome.stopped);
  EXPECT_EQ(outcome.text(), "aST");
  EXPECT_EQ(outcome.released_at, (std::vector<std::size_t>{1, 1}));
}

TEST(TextStream, TheEarliestOfSeveralStopStringsCounts) {
  const Outcome outcome = stream({"abc def ghi"}, {"ghi", "def"});
  EXPECT_EQ(outcome.matched, "def");
  EXPECT_EQ(outcome.text(), "abc ");
}

TEST(TextStream, OverlappingPrefixesAreNotMissed) {
  const Outcome outcome = stream({"a", "a", "a", "b"}, {"aab"});
  EXPECT_TRUE(outcome.stopped);
  EXPECT_EQ(outcome.text(), "a");
}

TEST(TextStream, StopStringsThatCameTooEarlyAreOrdinaryText) {
  const Outcome outcome = stream({"a", "X", "b", "X", "c"}, {"X"}, /*min_tokens=*/3);
  EXPECT_TRUE(outcome.stopped);
  EXPECT_EQ(outcome.text(), "aXb");
  EXPECT_EQ(outcome.released_at, (std::vector<std::size_t>{1, 2, 3, 4}));
}

TEST(TextStream, TextBeforeTheLeastLengthIsNoBeginningOfAStopString) {
  const Outcome outcome = stream({"X", "Y", "Y"}, {"XY"}, /*min_tokens=*/2);
  EXPECT_FALSE(outcome.stopped);
  EXPECT_EQ(outcome.text(), "XYY");
}

}  // namespace
}  // namespace llm::engine
