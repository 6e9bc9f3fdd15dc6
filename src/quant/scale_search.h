// How the encoders choose scales: candidates around the obvious one, each refined by weighted least
// squares for the rounded values it gives, the best by weighted squared error kept. Deterministic.
#pragma once

#include <cstdint>

namespace llm::quant {

/// value ~ scale * q - minimum with q in 0..levels, scale and minimum >= 0.
struct AffineFit {
  float scale = 0;
  float minimum = 0;
};

/// Candidate steps are (levels + first + k * 0.1) / range for k = 0..steps, where the range goes
/// from the offset of the best fit so far to the largest value.
struct AffineSearch {
  int levels = 15;
  float first = -1.0f;
  int steps = 20;
};

AffineFit fit_affine(const float* values,              // (count)
                     const float* weights,             // (count), positive
                     int count, AffineSearch search);  // count <= 32

/// Scale for value ~ scale * q with q in -levels..levels-1; the squares of the values are the
/// weights. Zero when all values are (nearly) zero.
float fit_symmetric(const float* values, int count, int levels);

}  // namespace llm::quant
