#include "llm/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "core/error.h"
#include "core/quote.h"

namespace llm {
namespace {

TEST(Status, OkAndError) {
  EXPECT_TRUE(Status().ok());
  const Status error = core::corrupt_data("{}: {} is wrong", "file", 7);
  EXPECT_FALSE(error.ok());
  EXPECT_EQ(error.code(), StatusCode::corrupt_data);
  EXPECT_EQ(error.message(), "file: 7 is wrong");
  EXPECT_EQ(error.with_prefix("outer").message(), "outer: file: 7 is wrong");
  EXPECT_TRUE(Status().with_prefix("outer").ok());
  EXPECT_EQ(to_string(StatusCode::corrupt_data), "corrupt_data");
}

Result<int> half(int value) {
  if (value % 2 != 0) return core::invalid_argument("{} is odd", value);
  return value / 2;
}

Result<int> quarter(int value) {
  LLM_ASSIGN_OR_RETURN(const int once, half(value));
  LLM_ASSIGN_OR_RETURN(const int twice, half(once));
  return twice;
}

Status check_quarter(int value) {
  LLM_RETURN_IF_ERROR(quarter(value).status());
  return {};
}

TEST(Result, HoldsAValueOrAnError) {
  const Result<int> good = half(4);
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, 2);
  EXPECT_TRUE(good.status().ok());
  const Result<int> bad = half(3);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().message(), "3 is odd");
  EXPECT_EQ(bad.status().code(), StatusCode::invalid_argument);
}

TEST(Result, MacrosPassValuesAndErrorsOn) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error().message(), "3 is odd");
  EXPECT_TRUE(check_quarter(8).ok());
  EXPECT_EQ(check_quarter(7).message(), "7 is odd");
}

TEST(Result, MoveOnlyValues) {
  Result<std::unique_ptr<int>> owner = std::make_unique<int>(5);
  const std::unique_ptr<int> taken = *std::move(owner);
  EXPECT_EQ(*taken, 5);
}

TEST(Quote, TamesUntrustedText) {
  EXPECT_EQ(core::quote("blk.0.weight"), "\"blk.0.weight\"");
  EXPECT_EQ(core::quote(std::string_view("a\n\0\xff", 4)), "\"a\\x0a\\x00\\xff\"");
  EXPECT_EQ(core::quote("abcdef", 3), "\"abc...\"");
  EXPECT_EQ(core::printable("abc", 3), "abc");
}

}  // namespace
}  // namespace llm
