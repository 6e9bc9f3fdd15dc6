#include "models/blocks/ffn_moe.h"

#include <algorithm>
#include <cmath>

namespace llm::models {
namespace {

void add_scaled(float* x, const float* y, float scale, std::int64_t cols) {
  for (std::int64_t c = 0; c < cols; ++c) x[c] += scale * y[c];
}

}  // namespace

void FfnMoe::apply(Step& step, const float* normed, float* out, const Compute& compute) const {
  choose(step, normed, compute);
  for (std::size_t e = 0; e < experts.size(); ++e) {
    run_expert(step, static_cast<std::int64_t>(e), normed, out, compute);
  }
  if (shared.down.outputs() > 0) run_shared(step, normed, out, compute);
}

void FfnMoe::choose(Step& step, const float* normed, const Compute& compute) const {
  const std::int64_t rows = step.rows();
  const auto n_experts = static_cast<std::int64_t>(experts.size());
  ExpertSpace& space = step.experts;
  step.input.set(normed, rows, step.sizes().hidden_size);
  router.apply(step.input, space.logits, n_experts, false, compute);
  compute.for_rows(rows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const auto count = static_cast<std::size_t>(n_experts);
      const auto used = static_cast<std::size_t>(n_used);
      choose_experts(routing, {space.logits + row * n_experts, count}, choice_bias,
                     {space.scores + row * 2 * n_experts, 2 * count},
                     {space.ids.data() + row * n_used, used},
                     {space.weights.data() + row * n_used, used});
    }
  });
}

void FfnMoe::run_expert(Step& step, std::int64_t expert, const float* normed, float* out,
                        const Compute& compute) const {
  const std::int64_t hidden = step.sizes().hidden_size;
  ExpertSpace& space = step.experts;
  // Rows that chose it, each with its place in the list of choices.
  std::int64_t count = 0;
  for (std::int64_t choice = 0; choice < step.rows() * n_used; ++choice) {
    if (space.ids[static_cast<std::size_t>(choice)] != expert) continue;
    space.choices[static_cast<std::size_t>(count++)] = choice;
  }
  if (count == 0) return;
  compute.for_rows(count, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t row = space.choices[static_cast<std::size_t>(i)] / n_used;
      std::copy_n(normed + row * hidden, hidden, space.gathered + i * hidden);
      std::fill_n(space.result + i * hidden, hidden, 0.0F);
    }
  });
  experts[static_cast<std::size_t>(expert)].apply_to(step, space.gathered, count, space.result,
                                                     compute);
  compute.for_rows(count, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t choice = space.choices[static_cast<std::size_t>(i)];
      add_scaled(out + choice / n_used * hidden, space.result + i * hidden,
                 space.weights[static_cast<std::size_t>(choice)], hidden);
    }
  });
}

void FfnMoe::run_shared(Step& step, const float* normed, float* out, const Compute& compute) const {
  const std::int64_t rows = step.rows();
  const std::int64_t hidden = step.sizes().hidden_size;
  if (shared_router.outputs() == 0) {
    shared.apply(step, normed, out, compute);
    return;
  }
  ExpertSpace& space = step.experts;
  step.input.set(normed, rows, hidden);
  shared_router.apply(step.input, space.logits, 1, false, compute);
  std::fill_n(space.result, rows * hidden, 0.0F);
  shared.apply(step, normed, space.result, compute);
  compute.for_rows(rows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const float share = 1.0F / (1.0F + std::exp(-space.logits[row]));
      add_scaled(out + row * hidden, space.result + row * hidden, share, hidden);
    }
  });
}

}  // namespace llm::models
