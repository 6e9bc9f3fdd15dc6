// Random rows of weights, cheap and repeatable: a row depends on the seed, the tensor's name and
// the row's number alone, so rows can be made in any order by any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace llm::offline {

class RandomWeights {
 public:
  RandomWeights(std::uint64_t seed, std::string_view tensor);

  /// Values of mean `mean` and standard deviation `deviation`, nearly normal (a sum of four uniform
  /// numbers), none further than 3.5 deviations from the mean.
  void fill(std::int64_t row, float mean, float deviation, std::span<float> values) const;

 private:
  std::uint64_t key_;
};

}  // namespace llm::offline
