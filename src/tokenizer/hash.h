// Fast non-cryptographic hashes of short byte strings, for in-memory tables only.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace llm::tokenizer {

inline std::uint64_t mix_bits(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

/// The bytes of a text of 1 to 8 bytes as a number, unique among texts of the same length.
inline std::uint64_t pack_bytes(std::string_view text) {
  const char* const p = text.data();
  if (text.size() == 8) {
    std::uint64_t all;
    std::memcpy(&all, p, 8);
    return all;
  }
  if (text.size() >= 4) {
    std::uint32_t head, tail;
    std::memcpy(&head, p, 4);
    std::memcpy(&tail, p + text.size() - 4, 4);
    return std::uint64_t{head} << 32 | tail;
  }
  const auto byte = [p](std::size_t index) {
    return std::uint64_t{static_cast<unsigned char>(p[index])};
  };
  return byte(0) << 16 | byte(text.size() / 2) << 8 | byte(text.size() - 1);
}

inline std::uint64_t hash_bytes(std::string_view text) {
  constexpr std::uint64_t kA = 0x9E3779B97F4A7C15u, kB = 0xD6E8FEB86659FD93u;
  std::uint64_t state = kA ^ text.size();
  const char* p = text.data();
  std::size_t left = text.size();
  std::uint64_t block;
  for (; left >= 8; p += 8, left -= 8) {
    std::memcpy(&block, p, 8);
    state = mix_bits(state ^ block, kB);
  }
  if (left > 0) state = mix_bits(state ^ pack_bytes({p, left}), kB);
  return mix_bits(state, kA);
}

}  // namespace llm::tokenizer
