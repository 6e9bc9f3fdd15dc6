// Network: the prepared weights of a model, layer by layer, as a NetworkBuilder makes them from a
// file and the Decoder runs them.
#pragma once

#include <variant>
#include <vector>

#include "core/function_ref.h"
#include "core/tensor_view.h"
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

/// Token embedding, read row by row from the tensor as stored, rounded to the model's dtype.
struct Embedding {
  core::TensorView table;  // (vocab_size, hidden_size)
  DType rounded_to = DType::f32;
  float scale = 1.0F;

  void lookup(std::int32_t token, float* row) const;
};

struct Network {
  Embedding embedding;
  std::vector<Layer> layers;
  Norm final_norm;
  LinearGroup lm_head;      // hidden_size -> vocab_size
  bool tied_head = false;   // lm_head is the embedding's matrix
  float logit_softcap = 0;  // 0: none

  /// Every group of matrices, in order of computation.
  void for_each_group(core::FunctionRef<void(const LinearGroup&)> visit) const;
  std::size_t bytes() const;
};

}  // namespace llm::models
