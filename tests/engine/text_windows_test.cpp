// Windows of a text: full ones only, each with the begin token first.
#include "engine/text_windows.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "engine/load_tokenizer.h"

namespace llm::engine {
namespace {

std::filesystem::path fixture() {
  return std::filesystem::path(LLM_SOURCE_DIR) / "models" / "demo";
}

TEST(TextWindows, EveryWindowStartsWithTheBeginTokenInPlaceOfItsFirst) {
  const auto tokenizer = load_tokenizer(fixture());
  ASSERT_TRUE(tokenizer.has_value());
  const std::string text = "Once upon a time there was a little dog. It ran to the big red ball.";
  const auto tokens = (*tokenizer)->encode(text);
  ASSERT_TRUE(tokens.has_value());
  const auto windows = TextWindows::create(**tokenizer, text, 8);
  ASSERT_TRUE(windows.has_value()) << windows.error().message();
  EXPECT_EQ(windows->count(), static_cast<std::int64_t>(tokens->size()) / 8);
  ASSERT_GE(windows->count(), 2);
  for (std::int64_t i = 0; i < windows->count(); ++i) {
    const auto window = windows->window(i);
    ASSERT_EQ(window.size(), 8U);
    EXPECT_EQ(window[0], tokens->front());
    for (std::size_t k = 1; k < 8; ++k) {
      EXPECT_EQ(window[k], (*tokens)[static_cast<std::size_t>(i) * 8 + k]);
    }
  }
  EXPECT_EQ(windows->first_scored(), 4);
}

TEST(TextWindows, TooLittleTextIsAnErrorWithBothCounts) {
  const auto tokenizer = load_tokenizer(fixture());
  ASSERT_TRUE(tokenizer.has_value());
  const auto windows = TextWindows::create(**tokenizer, "", 8);
  ASSERT_FALSE(windows.has_value());
  EXPECT_EQ(windows.error().message(), "the text is empty");
  const auto tokens = (*tokenizer)->encode("Once");
  const auto shorter = TextWindows::create(**tokenizer, "Once", 8);
  ASSERT_FALSE(shorter.has_value());
  EXPECT_EQ(shorter.error().message(),
            "the text has " + std::to_string(tokens->size()) + " tokens, one window needs 8");
}

TEST(TextWindows, LengthIsWithinTheModelsContext) {
  EXPECT_EQ(*window_length(0, 4096), 512);
  EXPECT_EQ(*window_length(0, 256), 256);
  EXPECT_EQ(*window_length(64, 256), 64);
  EXPECT_FALSE(window_length(257, 256).has_value());
  EXPECT_FALSE(window_length(4, 256).has_value());
}

}  // namespace
}  // namespace llm::engine
