// Network: the prepared weights of a model, layer by layer, as a NetworkBuilder makes them from a
// file and the Decoder runs them.
#pragma once

#include <memory>
#include <variant>
#include <vector>

#include "core/function_ref.h"
#include "core/mapped_file.h"
#include "models/blocks/attention_gqa.h"
#include "models/blocks/attention_mla.h"
#include "models/blocks/ffn_dense.h"
#include "models/blocks/ffn_moe.h"
#include "models/blocks/norm.h"

namespace llm::models {

struct Layer {
  LayerForm form = LayerForm::sequential;
  Norm attention_norm;
  std::variant<AttentionGqa, AttentionMla> attention;
  Norm post_attention_norm;  // or absent
  Norm ffn_norm;             // absent: a parallel layer with one norm
  std::variant<FfnDense, FfnMoe> ffn;
  Norm post_ffn_norm;  // or absent
};

/// Token embedding, (vocab_size, hidden_size), read row by row from the file as stored and rounded
/// to the model's dtype. Read, not mapped: a row is one small read per token, no copy of the table
/// takes memory, and a file that is cut while it is in use is an error and not the end of the
/// process.
struct Embedding {
  core::FileReader file;
  std::size_t offset = 0;  ///< of the table in the file
  DType stored = DType::f32;
  std::int64_t hidden_size = 0;
  DType rounded_to = DType::f32;
  float scale = 1.0F;

  /// Bytes of a row as stored.
  std::size_t stored_bytes() const {
    return row_bytes(stored, static_cast<std::size_t>(hidden_size));
  }
  /// `buffer` holds stored_bytes(); row: (hidden_size).
  Status lookup(std::int32_t token, std::byte* buffer, float* row) const;
};

struct Network {
  Embedding embedding;
  std::vector<Layer> layers;
  Norm final_norm;
  LinearGroup lm_head;      // hidden_size -> vocab_size
  bool tied_head = false;   // lm_head is the embedding's matrix
  float logit_softcap = 0;  // 0: none
  /// The file that the matrices are mapped from; null: they own their weights.
  std::unique_ptr<const core::MappedFile> packed;

  /// Every group of matrices, in order of computation.
  void for_each_group(core::FunctionRef<void(const LinearGroup&)> visit) const;
  /// Memory of the weights, also of a network whose matrices were sized but not filled.
  std::size_t bytes() const;
  /// The part of it that belongs to experts among which rows choose.
  std::size_t expert_bytes() const;
};

}  // namespace llm::models
