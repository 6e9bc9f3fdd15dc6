// What the user asked for is kept or refused with numbers; what was left open is chosen to fit.
#include "models/memory_plan.h"

#include <gtest/gtest.h>

#include "kernels/kernels.h"

namespace llm::models {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::int64_t kPage = kernels::kKvPageTokens;

// A model of 100 MiB, 1 MiB per page, 0.1 MiB of work space per row, 10 MiB beside it.
Result<MemoryDivision> divide(const MemoryWishes& wishes, std::size_t available_mib,
                              std::int64_t max_positions = 8 * kPage) {
  const auto scratch = [](std::int64_t rows, int) -> Result<std::size_t> {
    return static_cast<std::size_t>(rows) * kMiB / 10;
  };
  const auto other = [](std::int64_t, int) -> std::size_t { return 10 * kMiB; };
  core::AvailableMemory available;
  available.bytes = available_mib * kMiB;
  available.machine = 10000 * kMiB;
  available.cgroup_limit = available.bytes + 7;
  available.cgroup_used = 7;
  return divide_memory(wishes,
                       {.max_positions = max_positions,
                        .weights = 100 * kMiB,
                        .page = kMiB - 1000,
                        .tables_per_page = 1000,
                        .other = other,
                        .scratch = scratch},
                       available);
}

TEST(DivideMemory, WithPlentyEverySequenceHasAFullContext) {
  const auto division = divide({}, 5000);
  ASSERT_TRUE(division) << division.status().message();
  EXPECT_EQ(division->batch_rows, 512);
  EXPECT_EQ(division->sequences, 16);
  EXPECT_EQ(division->context, 8 * kPage);
  EXPECT_EQ(division->pages, 16 * 8);
}

TEST(DivideMemory, TheCacheTakesMostOfWhatIsLeft) {
  // 100 + 51.2 + 10 are fixed; four fifths of the other 60 make 48 pages.
  const auto division = divide({}, 222);
  ASSERT_TRUE(division) << division.status().message();
  EXPECT_EQ(division->batch_rows, 512);
  EXPECT_EQ(division->pages, 48);
  EXPECT_EQ(division->context, 8 * kPage);
}

TEST(DivideMemory, AContextLeftOpenIsCut) {
  const auto division = divide({}, 200, 1000 * kPage);
  ASSERT_TRUE(division) << division.status().message();
  EXPECT_EQ(division->pages, 31);
  EXPECT_EQ(division->context, 31 * kPage);
}

TEST(DivideMemory, AContextAskedForIsRefusedWithNumbers) {
  const auto division = divide({.context = 100 * kPage}, 200, 1000 * kPage);
  ASSERT_FALSE(division);
  EXPECT_EQ(division.error().code(), StatusCode::resource_exhausted);
  const std::string& message = division.error().message();
  for (const std::string& number :
       {std::string("context 3200"), std::to_string(100 * (kMiB - 1000)),
        std::string("992 positions"), std::to_string(200 * kMiB)}) {
    EXPECT_NE(message.find(number), std::string::npos) << number << ": " << message;
  }
}

TEST(DivideMemory, AModelThatDoesNotFitIsRefusedWithNumbers) {
  const auto division = divide({}, 90);
  ASSERT_FALSE(division);
  const std::string& message = division.error().message();
  for (const std::string& number :
       {std::to_string(100 * kMiB), std::to_string(90 * kMiB),
        "control group: limit " + std::to_string(90 * kMiB + 7) + ", used 7"}) {
    EXPECT_NE(message.find(number), std::string::npos) << number << ": " << message;
  }
  ASSERT_TRUE(division.error().shortage());
  EXPECT_GT(division.error().shortage()->required_bytes, 100 * kMiB);
  EXPECT_EQ(division.error().shortage()->available_bytes, 90 * kMiB);
}

TEST(DivideMemory, StepsLeftOpenAreMadeSmaller) {
  const auto division = divide({}, 134);
  ASSERT_TRUE(division) << division.status().message();
  EXPECT_EQ(division->batch_rows, 128);
  EXPECT_FALSE(divide({.batch_rows = 512}, 134));
}

TEST(DivideMemory, AContextTooShortToBeOfUseIsNotChosen) {
  EXPECT_FALSE(divide({.batch_rows = 100}, 121, 1000 * kPage));
  const auto given = divide({.context = 10, .batch_rows = 100}, 124, 1000 * kPage);
  EXPECT_TRUE(given) << "what was asked for is given: " << given.status().message();
}

TEST(DivideMemory, ACacheAskedForIsKeptOrRefused) {
  auto division = divide({.kv_cache_bytes = 20 * (kMiB - 1000)}, 5000);
  ASSERT_TRUE(division) << division.status().message();
  EXPECT_EQ(division->pages, 20);
  EXPECT_EQ(division->context, 8 * kPage);
  division = divide({.kv_cache_bytes = 1000 * kMiB}, 500);
  ASSERT_FALSE(division);
  EXPECT_NE(division.error().message().find(std::to_string(1000 * kMiB)), std::string::npos);
  // It bounds the context as memory does.
  division = divide({.kv_cache_bytes = 20 * kMiB}, 5000, 1000 * kPage);
  ASSERT_TRUE(division) << division.status().message();
  EXPECT_EQ(division->context, 20 * kPage);
  EXPECT_FALSE(divide({.context = 21 * kPage, .kv_cache_bytes = 20 * kMiB}, 5000, 1000 * kPage));
}

TEST(DivideMemory, EverySequenceNeedsARow) {
  EXPECT_FALSE(divide({.sequences = 17, .batch_rows = 16}, 5000));
  auto division = divide({.batch_rows = 8}, 5000);
  ASSERT_TRUE(division);
  EXPECT_EQ(division->sequences, 8);
  division = divide({.sequences = 1000}, 5000);
  ASSERT_TRUE(division);
  EXPECT_EQ(division->batch_rows, 1000);
}

TEST(DivideMemory, AContextBeyondTheModelIsRefused) {
  EXPECT_EQ(divide({.context = 8 * kPage + 1}, 5000).error().code(), StatusCode::invalid_argument);
  EXPECT_EQ(divide({.context = -1}, 5000).error().code(), StatusCode::invalid_argument);
}

}  // namespace
}  // namespace llm::models
