// Step: what every block sees while one batch runs through the layers: the batch, the rotations of
// its rows, and the work space, allocated once for the largest batch.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/function_ref.h"
#include "models/batch.h"
#include "models/linear.h"
#include "models/rope.h"

namespace llm::models {

struct StepSizes {
  std::int64_t max_rows = 0;
  std::int64_t max_logit_rows = 0;  ///< rows of logits computed at a time
  std::int64_t hidden_size = 0;
  std::int64_t attention_inputs = 0;   ///< outputs of q, k and v together
  std::int64_t attention_outputs = 0;  ///< inputs of the output projection
  std::int64_t mla_heads = 0;          ///< 0: no latent attention
  std::int64_t mla_q_latent = 0;       ///< AttentionMla::q_latent
  std::int64_t mla_kv_latent = 0;      ///< AttentionMla::kv_latent
  std::int64_t mla_q_head = 0;         ///< nope_dim + rope_dim
  std::int64_t mla_k_dim = 0;          ///< kv_latent + rope_dim
  std::int64_t ffn_size = 0;           ///< of the widest feed-forward network
  std::int64_t n_experts = 0;
  std::int64_t experts_used = 0;  ///< per row
  std::int64_t vocab_size = 0;
  bool uses_branch = false;                            ///< some layer needs Step::branch
  std::array<bool, kernels::kInputFormats> formats{};  ///< forms that matrices want their inputs in
};

/// Consecutive rows of one sequence that attention handles together.
struct AttentionRun {
  std::int64_t begin = 0;
  std::int64_t count = 0;
};

/// Cosines and sines of one rope for the rows of a batch.
class Rotations {
 public:
  Rotations(int pairs, float* values) : pairs_(pairs), values_(values) {}

  int dim() const { return 2 * pairs_; }
  float* cos(std::int64_t row) const { return values_ + row * 2 * pairs_; }  // (pairs)
  float* sin(std::int64_t row) const { return cos(row) + pairs_; }

 private:
  int pairs_;
  float* values_;  // (rows, 2, pairs)
};

/// Work space of latent attention; empty in models without.
struct MlaSpace {
  float* q_latents = nullptr;  // (rows, q_latent)
  float* q = nullptr;          // (rows, heads, nope_dim + rope_dim)
  float* queries = nullptr;    // (rows, heads, kv_latent + rope_dim), against what is cached
  float* latents = nullptr;    // (rows, heads, kv_latent), results of attention
};

/// Work space of a mixture of experts; empty in models without.
struct ExpertSpace {
  float* logits = nullptr;            // (rows, experts)
  float* scores = nullptr;            // (rows, 2 * experts)
  float* gathered = nullptr;          // (rows, hidden_size), inputs of one expert
  float* result = nullptr;            // (rows, hidden_size), its outputs
  std::vector<std::int32_t> ids;      // (rows, experts_used)
  std::vector<float> weights;         // (rows, experts_used)
  std::vector<std::int64_t> choices;  // (rows), indices into ids of one expert
};

class Step {
 public:
  static Result<Step> create(const StepSizes& sizes, std::span<const Rope> ropes,
                             const kernels::Ops& ops);
  /// bytes() of a step with these sizes, without making one.
  static Result<std::size_t> bytes_for(const StepSizes& sizes, std::span<const Rope> ropes,
                                       const kernels::Ops& ops);

  /// Takes over a batch: computes rotations and attention runs. `ropes` as in create().
  void begin(const Batch& batch, std::span<const Rope> ropes, const Compute& compute);

  std::int64_t rows() const { return static_cast<std::int64_t>(batch_.rows.size()); }
  const Batch& batch() const { return batch_; }
  const std::vector<AttentionRun>& runs() const { return runs_; }
  const Rotations& rotations(int rope) const { return rotations_[static_cast<std::size_t>(rope)]; }
  std::size_t bytes() const { return bytes_; }  ///< memory of the work space
  const StepSizes& sizes() const { return sizes_; }

  // Work space, shapes with (rows) = up to max_rows.
  float* x = nullptr;       // (rows, hidden_size), the residual stream
  float* normed = nullptr;  // (rows, hidden_size)
  float* branch =
      nullptr;           // (rows, hidden_size), what a layer keeps apart from x and normed; or null
  float* qkv = nullptr;  // (rows, attention_inputs)
  float* mixed = nullptr;    // (rows, attention_outputs)
  float* gate_up = nullptr;  // (rows, 2 * ffn_size)
  float* gated = nullptr;    // (rows, ffn_size)
  float* wanted = nullptr;   // (rows, hidden_size), normed rows whose logits are wanted
  float* logits = nullptr;   // (max_logit_rows, vocab_size)
  MlaSpace mla;
  ExpertSpace experts;
  MatmulInput input{{}};
  std::vector<kernels::AttentionRow> attention_rows;  // (rows), or (groups of heads, rows)

 private:
  /// Finds memory for a buffer of that many bytes.
  using Reserve = core::FunctionRef<Result<std::byte*>(std::size_t bytes)>;
  /// Sets every pointer and sizes every list; the one description of the work space.
  Status lay_out(std::span<const Rope> ropes, const kernels::Ops& ops, Reserve reserve);

  StepSizes sizes_;
  Batch batch_;
  std::vector<Rotations> rotations_;  // one per rope
  std::vector<AttentionRun> runs_;
  std::vector<core::AlignedBuffer> storage_;
  std::size_t bytes_ = 0;
};

}  // namespace llm::models
