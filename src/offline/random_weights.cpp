#include "offline/random_weights.h"

#include "core/hash.h"

namespace llm::offline {
namespace {

// Output function of SplitMix64 (Steele, Lea, Flood 2014).
std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15ULL;

}  // namespace

RandomWeights::RandomWeights(std::uint64_t seed, std::string_view tensor) {
  core::Fnv1a hash;  // of the name, spread by the seed
  hash.add(std::as_bytes(std::span(tensor)));
  key_ = mix(hash.value() + mix(seed + kStep));
}

void RandomWeights::fill(std::int64_t row, float mean, float deviation,
                         std::span<float> values) const {
  std::uint64_t state = mix(key_ + static_cast<std::uint64_t>(row) * kStep);
  // Each of the four 16-bit numbers has variance (2^32 - 1) / 12 around 32767.5.
  const float scale = deviation / 37837.2F;
  for (float& value : values) {
    state += kStep;
    const std::uint64_t bits = mix(state);
    const auto sum = static_cast<std::int32_t>((bits & 0xffffU) + (bits >> 16 & 0xffffU) +
                                               (bits >> 32 & 0xffffU) + (bits >> 48));
    value = mean + scale * static_cast<float>(sum - 131070);
  }
}

}  // namespace llm::offline
