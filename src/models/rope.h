// Rotary position embedding: frequencies with every scaling of the Llama family, and their cosines
// and sines. Su et al. 2021 (RoFormer); scalings: linear (Chen et al. 2023), dynamic NTK and
// llama3 as in Hugging Face transformers' modeling_rope_utils, YaRN (Peng et al. 2023).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace llm::models {

enum class RopeScaling : std::uint8_t { none, linear, dynamic_ntk, llama3, yarn };

std::string_view to_string(RopeScaling scaling);

struct RopeConfig {
  double theta = 10000.0;
  int rotary_dim = 0;  ///< components of a head that rotate; even
  RopeScaling scaling = RopeScaling::none;
  double factor = 1.0;
  /// Length the unscaled model was trained for (llama3, yarn), or from which dynamic NTK starts.
  std::int64_t original_positions = 0;
  double low_freq_factor = 1.0;            // llama3
  double high_freq_factor = 4.0;           // llama3
  double beta_fast = 32.0;                 // yarn
  double beta_slow = 1.0;                  // yarn
  bool truncate = true;                    // yarn: round the correction range to whole dimensions
  std::optional<double> attention_factor;  // yarn: explicit
  double mscale = 0.0;                     // yarn
  double mscale_all_dim = 0.0;             // yarn
  /// GGUF's rope_freqs.weight: a divisor per pair, or empty.
  std::vector<float> divisors;
};

class Rope {
 public:
  explicit Rope(RopeConfig config);

  const RopeConfig& config() const { return config_; }
  int pairs() const { return config_.rotary_dim / 2; }
  /// What cos and sin are multiplied by (1 but for YaRN).
  float attention_factor() const { return attention_factor_; }

  /// Which set of frequencies a sequence of `length` positions uses. Dynamic NTK changes it with
  /// every length past the original one; the keys of a sequence whose epoch changes are stale, all
  /// of them, in every layer: it must be computed again from its start, as the reference does.
  std::int64_t epoch(std::int64_t length) const {
    return config_.scaling == RopeScaling::dynamic_ntk && length > config_.original_positions
               ? length
               : 0;
  }

  /// Cosine and sine at a position of a sequence that is `length` positions long.
  /// cos, sin: (pairs)
  void rotation(std::int64_t position, std::int64_t length, float* cos, float* sin) const;

  /// Inverse frequencies in use for a sequence of `length` positions; (pairs).
  std::vector<float> inverse_frequencies(std::int64_t length) const;

 private:
  void fill_dynamic(std::int64_t length, float* inverse) const;

  RopeConfig config_;
  std::vector<float> inverse_;  // (pairs), for lengths where they are fixed
  float attention_factor_ = 1.0F;
};

}  // namespace llm::models
