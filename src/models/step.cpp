#include "models/step.h"

#include <algorithm>

#include "core/error.h"

namespace llm::models {

Result<Step> Step::create(const StepSizes& sizes, std::span<const Rope> ropes,
                          const kernels::Ops& ops) {
  Step step;
  step.sizes_ = sizes;
  LLM_RETURN_IF_ERROR(step.lay_out(ropes, ops, [&](std::size_t bytes) -> Result<std::byte*> {
    LLM_ASSIGN_OR_RETURN(auto buffer, core::AlignedBuffer::allocate(bytes, "work space"));
    step.storage_.push_back(std::move(buffer));
    return step.storage_.back().data();
  }));
  return step;
}

Result<std::size_t> Step::bytes_for(const StepSizes& sizes, std::span<const Rope> ropes,
                                    const kernels::Ops& ops) {
  Step step;
  step.sizes_ = sizes;
  LLM_RETURN_IF_ERROR(step.lay_out(ropes, ops, [](std::size_t) -> Result<std::byte*> {
    return static_cast<std::byte*>(nullptr);
  }));
  return step.bytes_;
}

Status Step::lay_out(std::span<const Rope> ropes, const kernels::Ops& ops, Reserve reserve) {
  const auto bytes = [&](std::byte*& target, std::int64_t rows, std::size_t row_bytes) -> Status {
    std::size_t total = 0;
    if (__builtin_mul_overflow(static_cast<std::size_t>(rows), row_bytes, &total)) {
      return core::resource_exhausted("work space of {} rows of {} bytes overflows", rows,
                                      row_bytes);
    }
    LLM_ASSIGN_OR_RETURN(target, reserve(total));
    bytes_ += core::AlignedBuffer::footprint(total);
    return {};
  };
  const auto floats = [&](float*& target, std::int64_t rows, std::int64_t cols) -> Status {
    std::byte* memory = nullptr;
    std::size_t row_bytes = 0;
    if (__builtin_mul_overflow(static_cast<std::size_t>(cols), sizeof(float), &row_bytes)) {
      return core::resource_exhausted("work space of rows of {} values overflows", cols);
    }
    LLM_RETURN_IF_ERROR(bytes(memory, rows, row_bytes));
    target = reinterpret_cast<float*>(memory);
    return {};
  };
  const auto list = [&](auto& target, std::int64_t size) {
    target.resize(static_cast<std::size_t>(size));
    bytes_ += target.size() * sizeof(target[0]);
  };

  const StepSizes& sizes = sizes_;
  const std::int64_t rows = sizes.max_rows;
  LLM_RETURN_IF_ERROR(floats(x, rows, sizes.hidden_size));
  LLM_RETURN_IF_ERROR(floats(normed, rows, sizes.hidden_size));
  if (sizes.uses_branch) LLM_RETURN_IF_ERROR(floats(branch, rows, sizes.hidden_size));
  LLM_RETURN_IF_ERROR(floats(qkv, rows, sizes.attention_inputs));
  LLM_RETURN_IF_ERROR(floats(mixed, rows, sizes.attention_outputs));
  LLM_RETURN_IF_ERROR(floats(gate_up, rows, 2 * sizes.ffn_size));
  LLM_RETURN_IF_ERROR(floats(gated, rows, sizes.ffn_size));
  LLM_RETURN_IF_ERROR(floats(wanted, rows, sizes.hidden_size));
  LLM_RETURN_IF_ERROR(floats(logits, sizes.max_logit_rows, sizes.vocab_size));
  if (sizes.mla_heads > 0) {
    LLM_RETURN_IF_ERROR(floats(mla.q_latents, rows, sizes.mla_q_latent));
    LLM_RETURN_IF_ERROR(floats(mla.q, rows, sizes.mla_heads * sizes.mla_q_head));
    LLM_RETURN_IF_ERROR(floats(mla.queries, rows, sizes.mla_heads * sizes.mla_k_dim));
    LLM_RETURN_IF_ERROR(floats(mla.latents, rows, sizes.mla_heads * sizes.mla_kv_latent));
  }
  if (sizes.n_experts > 0) {
    LLM_RETURN_IF_ERROR(floats(experts.logits, rows, sizes.n_experts));
    LLM_RETURN_IF_ERROR(floats(experts.scores, rows, 2 * sizes.n_experts));
    LLM_RETURN_IF_ERROR(floats(experts.gathered, rows, sizes.hidden_size));
    LLM_RETURN_IF_ERROR(floats(experts.result, rows, sizes.hidden_size));
    list(experts.ids, rows * sizes.experts_used);
    list(experts.weights, rows * sizes.experts_used);
    list(experts.choices, rows);
  }
  for (const Rope& rope : ropes) {
    float* values = nullptr;
    LLM_RETURN_IF_ERROR(floats(values, rows, 2 * std::int64_t{rope.pairs()}));
    rotations_.emplace_back(rope.pairs(), values);
  }
  // Prepared rows may serve any product, so each form's buffer fits the widest input.
  const std::int64_t widest =
      std::max({sizes.hidden_size, sizes.attention_outputs, sizes.ffn_size, sizes.mla_q_latent});
  std::array<std::byte*, kernels::kInputFormats> prepared{};
  for (std::size_t format = 0; format < kernels::kInputFormats; ++format) {
    if (!sizes.formats[format]) continue;
    LLM_RETURN_IF_ERROR(
        bytes(prepared[format], rows,
              ops.input_row_bytes(static_cast<kernels::InputFormat>(format), widest)));
  }
  input = MatmulInput(prepared);
  list(attention_rows, rows * std::max<std::int64_t>(1, sizes.mla_heads));
  runs_.reserve(static_cast<std::size_t>(rows));
  bytes_ += static_cast<std::size_t>(rows) * sizeof(AttentionRun);
  return {};
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
