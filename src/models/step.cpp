#include "models/step.h"

#include <algorithm>

#include "core/error.h"

namespace llm::models {

Result<Step> Step::create(const StepSizes& sizes, std::span<const Rope> ropes,
                          const Compute& compute) {
  Step step;
  step.sizes_ = sizes;
  const auto reserve = [&](float*& target, std::int64_t rows, std::int64_t cols) -> Status {
    std::int64_t elements = 0;
    if (__builtin_mul_overflow(rows, cols, &elements)) {
      return core::resource_exhausted("work space of {} x {} values overflows", rows, cols);
    }
    LLM_ASSIGN_OR_RETURN(auto buffer,
                         core::AlignedBuffer::allocate(
                             static_cast<std::size_t>(elements) * sizeof(float), "work space"));
    target = buffer.as<float>();
    step.bytes_ += buffer.size();
    step.storage_.push_back(std::move(buffer));
    return {};
  };
  const std::int64_t rows = sizes.max_rows;
  LLM_RETURN_IF_ERROR(reserve(step.x, rows, sizes.hidden_size));
  LLM_RETURN_IF_ERROR(reserve(step.normed, rows, sizes.hidden_size));
  LLM_RETURN_IF_ERROR(reserve(step.branch, rows, sizes.hidden_size));
  LLM_RETURN_IF_ERROR(reserve(step.qkv, rows, sizes.attention_inputs));
  LLM_RETURN_IF_ERROR(reserve(step.mixed, rows, sizes.attention_outputs));
  LLM_RETURN_IF_ERROR(reserve(step.gate_up, rows, 2 * sizes.ffn_size));
  LLM_RETURN_IF_ERROR(reserve(step.gated, rows, sizes.ffn_size));
  LLM_RETURN_IF_ERROR(reserve(step.wanted, rows, sizes.hidden_size));
  LLM_RETURN_IF_ERROR(reserve(step.logits, sizes.max_logit_rows, sizes.vocab_size));
  if (sizes.mla_heads > 0) {
    LLM_RETURN_IF_ERROR(reserve(step.mla.q_latents, rows, sizes.mla_q_latent));
    LLM_RETURN_IF_ERROR(reserve(step.mla.q, rows, sizes.mla_heads * sizes.mla_q_head));
    LLM_RETURN_IF_ERROR(reserve(step.mla.queries, rows, sizes.mla_heads * sizes.mla_k_dim));
    LLM_RETURN_IF_ERROR(reserve(step.mla.latents, rows, sizes.mla_heads * sizes.mla_kv_latent));
  }
  if (sizes.n_experts > 0) {
    LLM_RETURN_IF_ERROR(reserve(step.experts.logits, rows, sizes.n_experts));
    LLM_RETURN_IF_ERROR(reserve(step.experts.scores, rows, 2 * sizes.n_experts));
    LLM_RETURN_IF_ERROR(reserve(step.experts.gathered, rows, sizes.hidden_size));
    LLM_RETURN_IF_ERROR(reserve(step.experts.result, rows, sizes.hidden_size));
    const auto choices = static_cast<std::size_t>(rows * sizes.experts_used);
    step.experts.ids.resize(choices);
    step.experts.weights.resize(choices);
    step.experts.choices.resize(static_cast<std::size_t>(rows));
  }
  for (const Rope& rope : ropes) {
    float* values = nullptr;
    LLM_RETURN_IF_ERROR(reserve(values, rows, 2 * std::int64_t{rope.pairs()}));
    step.rotations_.emplace_back(rope.pairs(), values);
  }
  // Prepared rows may serve any product, so each form's buffer fits the widest input.
  const std::int64_t widest =
      std::max({sizes.hidden_size, sizes.attention_outputs, sizes.ffn_size, sizes.mla_q_latent});
  std::array<std::byte*, kernels::kInputFormats> prepared{};
  for (std::size_t format = 0; format < kernels::kInputFormats; ++format) {
    const std::size_t row_bytes =
        compute.ops->input_row_bytes(static_cast<kernels::InputFormat>(format), widest);
    LLM_ASSIGN_OR_RETURN(auto buffer,
                         core::AlignedBuffer::allocate(static_cast<std::size_t>(rows) * row_bytes,
                                                       "prepared activations"));
    prepared[format] = buffer.data();
    step.bytes_ += buffer.size();
    step.storage_.push_back(std::move(buffer));
  }
  step.input = MatmulInput(prepared);
  step.attention_rows.resize(
      static_cast<std::size_t>(rows * std::max<std::int64_t>(1, sizes.mla_heads)));
  step.runs_.reserve(static_cast<std::size_t>(rows));
  return step;
}

void Step::begin(const Batch& batch, std::span<const Rope> ropes, const Compute& compute) {
  batch_ = batch;
  compute.for_rows(rows(), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const BatchRow& source = batch_.rows[static_cast<std::size_t>(row)];
      for (std::size_t r = 0; r < ropes.size(); ++r) {
        ropes[r].rotation(source.position, source.rotary_length, rotations_[r].cos(row),
                          rotations_[r].sin(row));
      }
    }
  });

  runs_.clear();
  const std::int64_t tile = compute.ops->attention_row_tile;
  for (std::int64_t row = 0; row < rows(); ++row) {
    const bool same = !runs_.empty() && runs_.back().count < tile &&
                      batch_.rows[static_cast<std::size_t>(row)].sequence ==
                          batch_.rows[static_cast<std::size_t>(row - 1)].sequence;
    if (same) {
      ++runs_.back().count;
    } else {
      runs_.push_back({row, 1});
    }
  }
}

}  // namespace llm::models
