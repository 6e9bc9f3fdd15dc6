// Rotary position embedding: frequencies with every scaling of the Llama family, and their cosines
// and sines. Su et al. 2021 (RoFormer); scalings: linear (Chen et al. 2023), dynamic NTK and
// llama3 as in Hugging Face transformers' modeling_rope_utils, YaRN (Peng et al. 2023), LongRoPE
// (Ding et al. 2024).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace llm::models {

enum class RopeScaling : std::uint8_t { none, linear, dynamic_ntk, llama3, yarn, longrope };

std::string_view to_string(RopeScaling scaling);

struct RopeConfig {
  double theta = 10000.0;
  int rotary_dim = 0;  ///< components of a head that rotate; even
  RopeScaling scaling = RopeScaling::none;
  double factor = 1.0;
  /// Length the unscaled model was trained for (llama3, yarn), from which dynamic NTK starts, or
  /// past which longrope takes its long divisors.
  std::int64_t original_positions = 0;
  double low_freq_factor = 1.0;            // llama3
  double high_freq_factor = 4.0;           // llama3
  double beta_fast = 32.0;                 // yarn
  double beta_slow = 1.0;                  // yarn
  bool truncate = true;                    // yarn: round the correction range to whole dimensions
  std::optional<double> attention_factor;  // yarn, longrope: explicit
  double mscale = 0.0;                     // yarn
  double mscale_all_dim = 0.0;             // yarn
  /// A divisor per pair, or empty: GGUF's rope_freqs.weight, or longrope's short factors.
  std::vector<float> divisors;
  std::vector<float> long_divisors;  // longrope
};

/// In place of the index of a rope: positions are not rotated.
inline constexpr int kNoRope = -1;

/// Length after extension, for scalings whose files may state the original one alone.
std::int64_t extended_positions(std::int64_t original, double factor);

class Rope {
 public:
  explicit Rope(RopeConfig config);

  const RopeConfig& config() const { return config_; }
  int pairs() const { return config_.rotary_dim / 2; }
  /// What cos and sin are multiplied by (1 but for YaRN and LongRoPE).
  float attention_factor() const { return attention_factor_; }

  /// Which set of frequencies a sequence of `length` positions uses. LongRoPE changes it once, past
  /// the original length, dynamic NTK with every length from there on; the keys of a sequence whose
  /// epoch changes are stale, all of them, in every layer: it must be computed again from its
  /// start, as the reference does.
  std::int64_t epoch(std::int64_t length) const {
    if (length <= config_.original_positions) return 0;
    if (config_.scaling == RopeScaling::dynamic_ntk) return length;
    return config_.scaling == RopeScaling::longrope ? 1 : 0;
  }

  /// Cosine and sine at a position of a sequence that is `length` positions long.
  /// cos, sin: (pairs)
  void rotation(std::int64_t position, std::int64_t length, float* cos, float* sin) const;

  /// Inverse frequencies in use for a sequence of `length` positions; (pairs).
  std::vector<float> inverse_frequencies(std::int64_t length) const;

 private:
  void fill_dynamic(std::int64_t length, float* inverse) const;

  RopeConfig config_;
  std::vector<float> inverse_;       // (pairs), for lengths where they are fixed
  std::vector<float> long_inverse_;  // (pairs), longrope past the original length
  float attention_factor_ = 1.0F;
};

/// Llama 3's scaling as a divisor of each pair's frequency, as GGUF states it; (pairs).
std::vector<float> llama3_divisors(const RopeConfig& config);

}  // namespace llm::models
