// EosTokens: the union of end tokens that every path checks.
#include <gtest/gtest.h>

#include "llm/model_info.h"

namespace llm {
namespace {

using Ids = std::vector<std::int32_t>;

TEST(EosTokens, IsTheUnionWithoutAbsentIds) {
  const EosTokens tokens(2, {9, -1, 5, 2, 9});
  EXPECT_EQ(tokens.primary(), 2);
  EXPECT_EQ(tokens.ids(), (Ids{2, 5, 9}));
  for (const std::int32_t id : {2, 5, 9}) EXPECT_TRUE(tokens.is_eos(id));
  for (const std::int32_t id : {-1, 0, 3, 10}) EXPECT_FALSE(tokens.is_eos(id));
}

TEST(EosTokens, ThePrimaryIsPartOfTheSet) {
  EXPECT_TRUE(EosTokens(7, {1}).is_eos(7));
  EXPECT_EQ(EosTokens(7, {1}).ids(), (Ids{1, 7}));
}

TEST(EosTokens, WithoutAPrimaryTheFirstListedIsIt) {
  EXPECT_EQ(EosTokens(-1, {9, 3}).primary(), 9);
}

TEST(EosTokens, MayBeEmpty) {
  EXPECT_TRUE(EosTokens().empty());
  const EosTokens none(-1, {-1, -5});
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.primary(), -1);
  EXPECT_FALSE(none.is_eos(-1));
}

}  // namespace
}  // namespace llm
