#include "core/aligned_buffer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

namespace llm::core {
namespace {

bool all_zero(const AlignedBuffer& buffer) {
  for (std::size_t n = 0; n < buffer.size(); ++n) {
    if (buffer.data()[n] != std::byte{0}) return false;
  }
  return true;
}

TEST(AlignedBuffer, AlignedZeroedAndWritable) {
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{63}, std::size_t{4097},
                                  (std::size_t{2} << 20) - 1, std::size_t{5} << 20}) {
    auto buffer = AlignedBuffer::allocate(bytes, "test");
    ASSERT_TRUE(buffer) << buffer.error().message();
    EXPECT_EQ(buffer->size(), bytes);
    const std::size_t alignment = bytes >= std::size_t{2} << 20 ? std::size_t{2} << 20 : 64;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer->data()) % alignment, 0u) << bytes;
    EXPECT_TRUE(all_zero(*buffer)) << bytes;
    std::memset(buffer->data(), 0xff, bytes);
    EXPECT_EQ(buffer->as<std::uint8_t>()[bytes - 1], 0xff);
  }
}

TEST(AlignedBuffer, NothingIsFine) {
  const auto buffer = AlignedBuffer::allocate(0, "test");
  ASSERT_TRUE(buffer);
  EXPECT_EQ(buffer->size(), 0u);
}

TEST(AlignedBuffer, TooMuchIsAnErrorThatNamesThePurpose) {
  for (const std::size_t bytes : {SIZE_MAX, SIZE_MAX / 2, std::size_t{1} << 60}) {
    const auto buffer = AlignedBuffer::allocate(bytes, "KV cache");
    ASSERT_FALSE(buffer);
    EXPECT_EQ(buffer.error().code(), StatusCode::resource_exhausted);
    EXPECT_NE(buffer.error().message().find("KV cache"), std::string::npos);
    EXPECT_NE(buffer.error().message().find(std::to_string(bytes)), std::string::npos);
  }
}

TEST(AlignedBuffer, TakesWholePagesAndNoMore) {
  EXPECT_EQ(AlignedBuffer::footprint(0), 0u);
  EXPECT_EQ(AlignedBuffer::footprint(1), 4096u);
  EXPECT_EQ(AlignedBuffer::footprint(4096), 4096u);
  EXPECT_EQ(AlignedBuffer::footprint((std::size_t{5} << 20) + 1), (std::size_t{5} << 20) + 4096);
}

TEST(AlignedBuffer, MovesKeepTheAddress) {
  auto first = AlignedBuffer::allocate(100, "test");
  ASSERT_TRUE(first);
  std::byte* address = first->data();
  AlignedBuffer second = std::move(*first);
  EXPECT_EQ(second.data(), address);
  EXPECT_EQ(second.size(), 100u);
  AlignedBuffer third;
  third = std::move(second);
  EXPECT_EQ(third.data(), address);
}

}  // namespace
}  // namespace llm::core
