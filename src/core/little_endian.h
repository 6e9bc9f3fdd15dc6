// Unaligned little-endian loads and stores of plain numbers. The supported processors are
// little-endian, so both are copies.
#pragma once

#include <bit>
#include <cstring>
#include <type_traits>

namespace llm::core {

static_assert(std::endian::native == std::endian::little);

/// Reads a T at `source`, which needs no alignment.
template <class T>
requires std::is_arithmetic_v<T> T load_le(const void* source) {
  T value;
  std::memcpy(&value, source, sizeof value);
  return value;
}

template <class T>
requires std::is_arithmetic_v<T>
void store_le(void* target, T value) { std::memcpy(target, &value, sizeof value); }

}  // namespace llm::core
