#include "core/shape.h"

#include <gtest/gtest.h>

#include <limits>

namespace llm::core {
namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

TEST(Shape, DimensionsOutermostFirst) {
  const Shape shape = {2, 3, 4};
  EXPECT_EQ(shape.rank(), 3u);
  EXPECT_EQ(shape[0], 2);
  EXPECT_EQ(shape.back(), 4);
  EXPECT_EQ(shape.elements(), 24);
  EXPECT_EQ(shape.to_string(), "(2, 3, 4)");
}

TEST(Shape, ScalarAndEmpty) {
  EXPECT_EQ(Shape().elements(), 1);
  EXPECT_EQ(Shape().back(), 1);
  EXPECT_EQ(Shape().to_string(), "()");
  EXPECT_EQ((Shape{3, 0}).elements(), 0);
}

TEST(Shape, OverflowIsNoticed) {
  EXPECT_EQ((Shape{kMax}).elements(), kMax);
  EXPECT_EQ((Shape{kMax, 2}).elements(), std::nullopt);
  EXPECT_EQ((Shape{std::int64_t{1} << 32, std::int64_t{1} << 31}).elements(), std::nullopt);
  EXPECT_EQ((Shape{std::int64_t{1} << 31, std::int64_t{1} << 31}).elements(),
            std::int64_t{1} << 62);
}

TEST(Shape, PushBackRefusesNegativeAndTooMany) {
  Shape shape;
  EXPECT_FALSE(shape.push_back(-1));
  EXPECT_EQ(shape.rank(), 0u);
  for (std::size_t axis = 0; axis < Shape::kMaxDims; ++axis) EXPECT_TRUE(shape.push_back(1));
  EXPECT_FALSE(shape.push_back(1));
  EXPECT_EQ(shape.rank(), Shape::kMaxDims);
}

TEST(Shape, EqualityLooksAtRankAndDimensions) {
  EXPECT_EQ((Shape{2, 3}), (Shape{2, 3}));
  EXPECT_NE((Shape{2, 3}), (Shape{3, 2}));
  EXPECT_NE((Shape{2}), (Shape{2, 1}));
  EXPECT_NE(Shape(), (Shape{0}));
}

}  // namespace
}  // namespace llm::core
