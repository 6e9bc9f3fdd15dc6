#include "offline/safetensors_to_gguf.h"

#include <cstring>
#include <memory>

#include "core/error.h"
#include "models/file_names.h"
#include "models/linear_part.h"
#include "offline/row_order.h"
#include "quant/quant.h"

namespace llm::offline {
namespace {

using core::Shape;
using formats::TensorEntry;
using models::ModelConfig;
using models::TensorNames;

/// One stored matrix (or vector) whose rows are read by number.
struct StoredRows {
  const TensorEntry* entry;
  models::BlockScales scales;
  std::int64_t columns;

  void read(std::int64_t row, float* values) const {
    const core::TensorView& view = entry->view;
    const std::size_t bytes = row_bytes(view.dtype, static_cast<std::size_t>(columns));
    quant::decode_row(view.dtype, view.data + static_cast<std::size_t>(row) * bytes, values,
                      columns);
    scales.apply(row, values, columns);
  }
};

class Planner {
 public:
  Planner(const formats::ModelFile& file, const ModelConfig& config,
          const models::GgufExport& target)
      : config_(config), target_(target), file_(file), names_(file, config), claims_(file) {}

  Result<std::vector<OutputTensor>> plan();

 private:
  using Field = std::string_view TensorNames::*;

  Status add_layer(std::int64_t layer);
  Status add_attention(std::int64_t layer);
  Status add_latent_attention(std::int64_t layer);
  Status add_kv_b(std::int64_t layer);
  Status add_ffn(std::int64_t layer);
  Status add_experts(std::int64_t layer);
  Status add_head();

  /// The norm of that name, if this model has it; with its bias.
  Status add_norm(Field field, std::int64_t layer, std::int64_t size);
  /// The norm of every head: one vector for all, or one for each.
  Status add_head_norm(Field field, std::int64_t layer, std::int64_t n_heads);
  Status add_matrix(Field field, std::int64_t layer, const Shape& shape, bool bias = false,
                    const RowOrder& order = {});
  Status add_bias(Field field, std::int64_t layer, std::int64_t size, const RowOrder& order);
  /// Matrices of that shape, one for each expert, in one tensor.
  Status add_stack(Field one, Field all, std::int64_t layer, const Shape& shape);
  Status add_vector(std::string stored, std::string name, std::int64_t size, float offset);

  Result<StoredRows> rows_of(const std::string& name, const Shape& shape);
  /// The name in GGUF; an error when it has none for what the model has.
  Result<std::string> target_name(Field field, std::int64_t layer) const;
  std::string name(Field field, std::int64_t layer) const {
    return names_.name(config_.names.*field, layer);
  }

  const ModelConfig& config_;
  const models::GgufExport& target_;
  const formats::ModelFile& file_;
  models::FileNames names_;
  models::TensorClaims claims_;
  std::vector<OutputTensor> tensors_;
};

Result<std::vector<OutputTensor>> Planner::plan() {
  for (const auto& [name, values] : target_.vectors) {
    OutputTensor tensor{.name = name, .shape = {static_cast<std::int64_t>(values.size())}};
    tensor.read = [values = values](std::int64_t, float* out) {
      std::memcpy(out, values.data(), values.size() * sizeof(float));
    };
    tensors_.push_back(std::move(tensor));
  }
  LLM_RETURN_IF_ERROR(
      add_matrix(&TensorNames::embedding, 0, {config_.vocab_size, config_.hidden_size}));
  for (std::int64_t l = 0; l < config_.n_layers; ++l) LLM_RETURN_IF_ERROR(add_layer(l));
  LLM_RETURN_IF_ERROR(add_norm(&TensorNames::final_norm, 0, config_.hidden_size));
  LLM_RETURN_IF_ERROR(add_head());
  LLM_RETURN_IF_ERROR(names_.finish(claims_));
  return std::move(tensors_);
}

Status Planner::add_layer(std::int64_t l) {
  const std::int64_t hidden = config_.hidden_size;
  LLM_RETURN_IF_ERROR(add_norm(&TensorNames::attention_norm, l, hidden));
  LLM_RETURN_IF_ERROR(config_.mla.kv_latent > 0 ? add_latent_attention(l) : add_attention(l));
  LLM_RETURN_IF_ERROR(add_norm(&TensorNames::post_attention_norm, l, hidden));
  LLM_RETURN_IF_ERROR(add_norm(&TensorNames::ffn_norm, l, hidden));
  const bool moe = config_.layers[static_cast<std::size_t>(l)].moe;
  LLM_RETURN_IF_ERROR(moe ? add_experts(l) : add_ffn(l));
  return add_norm(&TensorNames::post_ffn_norm, l, hidden);
}

Status Planner::add_attention(std::int64_t l) {
  const std::int64_t hidden = config_.hidden_size;
  const std::int64_t dim = config_.head_dim;
  const std::int64_t q_rows = config_.n_heads * dim;
  const std::int64_t kv_rows = config_.n_kv_heads * dim;
  const bool bias = config_.qkv_bias;
  if (config_.names.q.empty()) {
    RowOrder order;
    if (config_.spec->hf_qkv_order == models::QkvOrder::grouped) {
      order = GroupedQkv{
          .q_rows = q_rows / config_.n_kv_heads, .head_dim = dim, .kv_heads = config_.n_kv_heads};
    }
    LLM_RETURN_IF_ERROR(
        add_matrix(&TensorNames::qkv, l, {q_rows + 2 * kv_rows, hidden}, bias, order));
  } else {
    RowOrder order;
    if (config_.spec->gguf_interleaved_rope) {
      order = [dim](std::int64_t row) { return interleaved_row(row, dim); };
    }
    LLM_RETURN_IF_ERROR(add_matrix(&TensorNames::q, l, {q_rows, hidden}, bias, order));
    LLM_RETURN_IF_ERROR(add_matrix(&TensorNames::k, l, {kv_rows, hidden}, bias, order));
    LLM_RETURN_IF_ERROR(add_matrix(&TensorNames::v, l, {kv_rows, hidden}, bias));
  }
  if (config_.head_norms) {
    LLM_RETURN_IF_ERROR(add_head_norm(&TensorNames::q_norm, l, config_.n_heads));
    LLM_RETURN_IF_ERROR(add_head_norm(&TensorNames::k_norm, l, config_.n_kv_heads));
  }
  return add_matrix(&TensorNames::o, l, {hidden, q_rows}, config_.output_bias);
}

Status Planner::add_latent_attention(std::int64_t l) {
  const models::MlaConfig& mla = config_.mla;
  const std::int64_t hidden = config_.hidden_size;
  const std::int64_t q_rows = config_.n_heads * (mla.nope_dim + mla.rope_dim);
  const bool bias = config_.qkv_bias;
  if (mla.q_latent > 0) {
    LLM_RETURN_IF_ERROR(add_matrix(&TensorNames::q_a, l, {mla.q_latent, hidden}, bias));
    LLM_RETURN_IF_ERROR(add_norm(&TensorNames::q_a_norm, l, mla.q_latent));
    LLM_RETURN_IF_ERROR(add_matrix(&TensorNames::q_b, l, {q_rows, mla.q_latent}));
  } else {
    LLM_RETURN_IF_ERROR(add_matrix(&TensorNames::q, l, {q_rows, hidden}));
  }
  LLM_RETURN_IF_ERROR(
      add_matrix(&TensorNames::kv_a, l, {mla.kv_latent + mla.rope_dim, hidden}, bias));
  LLM_RETURN_IF_ERROR(add_norm(&TensorNames::kv_a_norm, l, mla.kv_latent));
  LLM_RETURN_IF_ERROR(add_kv_b(l));
  return add_matrix(&TensorNames::o, l, {hidden, config_.n_heads * mla.v_dim}, config_.output_bias);
}

// One matrix with, for each head, key rows and value rows becomes two tensors of a matrix per head;
// those of the keys are transposed.
Status Planner::add_kv_b(std::int64_t l) {
  const models::MlaConfig& mla = config_.mla;
  const std::int64_t latent = mla.kv_latent;
  const std::int64_t nope = mla.nope_dim;
  const std::int64_t period = nope + mla.v_dim;
  LLM_ASSIGN_OR_RETURN(const StoredRows stored,
                       rows_of(name(&TensorNames::kv_b, l), {config_.n_heads * period, latent}));
  OutputTensor keys{.shape = {config_.n_heads, latent, nope}, .stored = {stored.entry}};
  LLM_ASSIGN_OR_RETURN(keys.name, target_name(&TensorNames::k_b, l));
  keys.rows_of_unit = latent;
  keys.read = [=](std::int64_t head, float* values) {
    std::vector<float> row(static_cast<std::size_t>(latent));
    for (std::int64_t r = 0; r < nope; ++r) {
      stored.read(head * period + r, row.data());
      for (std::int64_t c = 0; c < latent; ++c) {
        values[c * nope + r] = row[static_cast<std::size_t>(c)];
      }
    }
  };
  tensors_.push_back(std::move(keys));

  OutputTensor values{.shape = {config_.n_heads, mla.v_dim, latent}, .stored = {stored.entry}};
  LLM_ASSIGN_OR_RETURN(values.name, target_name(&TensorNames::v_b, l));
  const RowsOfEach order{.offset = nope, .block = mla.v_dim, .period = period};
  values.read = [=](std::int64_t row, float* out) { stored.read(order(row), out); };
  tensors_.push_back(std::move(values));
  return {};
}

Status Planner::add_ffn(std::int64_t l) {
  const std::int64_t hidden = config_.hidden_size;
  const std::int64_t size = config_.ffn_size;
  const bool bias = config_.mlp_bias;
  if (config_.spec->ffn == models::FfnKind::plain) {
    LLM_RETURN_IF_ERROR(add_matrix(&TensorNames::up, l, {size, hidden}, bias));
  } else if (config_.names.gate.empty()) {
    LLM_RETURN_IF_ERROR(add_matrix(&TensorNames::gate_up, l, {2 * size, hidden}, bias));
  } else {
    LLM_RETURN_IF_ERROR(add_matrix(&TensorNames::gate, l, {size, hidden}, bias));
    LLM_RETURN_IF_ERROR(add_matrix(&TensorNames::up, l, {size, hidden}, bias));
  }
  return add_matrix(&TensorNames::down, l, {hidden, size}, bias);
}

Status Planner::add_experts(std::int64_t l) {
  const models::MoeConfig& moe = config_.moe;
  const std::int64_t hidden = config_.hidden_size;
  LLM_RETURN_IF_ERROR(add_matrix(&TensorNames::router, l, {moe.n_experts, hidden}));
  if (names_.has(config_.names.router_bias, l)) {
    LLM_ASSIGN_OR_RETURN(std::string target, target_name(&TensorNames::router_bias, l));
    LLM_RETURN_IF_ERROR(
        add_vector(name(&TensorNames::router_bias, l), std::move(target), moe.n_experts, 0.0F));
  }
  LLM_RETURN_IF_ERROR(
      add_stack(&TensorNames::expert_gate, &TensorNames::experts_gate, l, {moe.ffn_size, hidden}));
  LLM_RETURN_IF_ERROR(
      add_stack(&TensorNames::expert_up, &TensorNames::experts_up, l, {moe.ffn_size, hidden}));
  LLM_RETURN_IF_ERROR(
      add_stack(&TensorNames::expert_down, &TensorNames::experts_down, l, {hidden, moe.ffn_size}));
  const std::int64_t shared = moe.shared_ffn_size;
  if (shared == 0) return {};
  LLM_RETURN_IF_ERROR(add_matrix(&TensorNames::shared_gate, l, {shared, hidden}));
  LLM_RETURN_IF_ERROR(add_matrix(&TensorNames::shared_up, l, {shared, hidden}));
  LLM_RETURN_IF_ERROR(add_matrix(&TensorNames::shared_down, l, {hidden, shared}));
  if (!names_.has(config_.names.shared_router, l)) return {};
  return add_matrix(&TensorNames::shared_router, l, {1, hidden});
}

Status Planner::add_head() {
  const std::string lm_head = name(&TensorNames::lm_head, 0);
  if (config_.tie_embeddings || file_.find(lm_head) == nullptr) {
    claims_.ignore(lm_head);  // a stored copy is not used
    return {};
  }
  return add_matrix(&TensorNames::lm_head, 0, {config_.vocab_size, config_.hidden_size},
                    config_.head_bias);
}

Result<std::string> Planner::target_name(Field field, std::int64_t layer) const {
  const std::string_view pattern = target_.names.*field;
  if (pattern.empty()) {
    return core::unsupported("{}: GGUF has no place for it in architecture {}",
                             claims_.where(name(field, layer)), target_.architecture);
  }
  return models::at_layer(pattern, layer);
}

Result<StoredRows> Planner::rows_of(const std::string& name, const Shape& shape) {
  LLM_ASSIGN_OR_RETURN(const TensorEntry* entry, claims_.claim(name, shape));
  StoredRows rows{.entry = entry, .scales = {}, .columns = shape.back()};
  if (shape.rank() == 2) {
    LLM_ASSIGN_OR_RETURN(rows.scales, claims_.scales(*entry, config_.scale_block));
  }
  return rows;
}

Status Planner::add_vector(std::string stored, std::string name, std::int64_t size, float offset) {
  LLM_ASSIGN_OR_RETURN(const StoredRows rows, rows_of(stored, {size}));
  OutputTensor tensor{.name = std::move(name), .shape = {size}, .stored = {rows.entry}};
  tensor.read = [=](std::int64_t, float* values) {
    rows.read(0, values);
    for (std::int64_t c = 0; c < size; ++c) values[c] += offset;
  };
  tensors_.push_back(std::move(tensor));
  return {};
}

Status Planner::add_norm(Field field, std::int64_t layer, std::int64_t size) {
  if ((config_.names.*field).empty()) return {};
  LLM_ASSIGN_OR_RETURN(const std::string target, target_name(field, layer));
  const std::string weight = name(field, layer);
  LLM_RETURN_IF_ERROR(add_vector(weight, target, size, config_.spec->hf_norm_offset));
  if (config_.spec->norm != models::NormKind::layer) return {};
  return add_vector(models::bias_name(weight), models::bias_name(target), size, 0.0F);
}

Status Planner::add_head_norm(Field field, std::int64_t layer, std::int64_t n_heads) {
  const std::string weight = name(field, layer);
  LLM_ASSIGN_OR_RETURN(std::string target, target_name(field, layer));
  if (!models::is_per_head(weight)) {
    return add_vector(weight, std::move(target), config_.head_dim, config_.spec->hf_norm_offset);
  }
  OutputTensor tensor{.name = std::move(target), .shape = {n_heads, config_.head_dim}};
  auto heads = std::make_shared<std::vector<StoredRows>>();
  for (std::int64_t h = 0; h < n_heads; ++h) {
    LLM_ASSIGN_OR_RETURN(StoredRows rows, rows_of(models::of_head(weight, h), {config_.head_dim}));
    tensor.stored.push_back(rows.entry);
    heads->push_back(std::move(rows));
  }
  tensor.read = [heads](std::int64_t head, float* values) {
    (*heads)[static_cast<std::size_t>(head)].read(0, values);
  };
  tensors_.push_back(std::move(tensor));
  return {};
}

Status Planner::add_matrix(Field field, std::int64_t layer, const Shape& shape, bool bias,
                           const RowOrder& order) {
  OutputTensor tensor{.shape = shape};
  LLM_ASSIGN_OR_RETURN(tensor.name, target_name(field, layer));
  LLM_ASSIGN_OR_RETURN(const StoredRows rows, rows_of(name(field, layer), shape));
  tensor.stored = {rows.entry};
  tensor.read = [=](std::int64_t row, float* values) {
    rows.read(order ? order(row) : row, values);
  };
  tensors_.push_back(std::move(tensor));
  return bias ? add_bias(field, layer, shape[0], order) : Status();
}

Status Planner::add_bias(Field field, std::int64_t layer, std::int64_t size,
                         const RowOrder& order) {
  OutputTensor tensor{.shape = {size}};
  LLM_ASSIGN_OR_RETURN(const std::string target, target_name(field, layer));
  tensor.name = models::bias_name(target);
  LLM_ASSIGN_OR_RETURN(const StoredRows rows,
                       rows_of(models::bias_name(name(field, layer)), {size}));
  tensor.stored = {rows.entry};
  tensor.read = [=](std::int64_t, float* values) {
    if (!order) return rows.read(0, values);
    std::vector<float> stored(static_cast<std::size_t>(size));
    rows.read(0, stored.data());
    for (std::int64_t row = 0; row < size; ++row) {
      values[row] = stored[static_cast<std::size_t>(order(row))];
    }
  };
  tensors_.push_back(std::move(tensor));
  return {};
}

Status Planner::add_stack(Field one, Field all, std::int64_t layer, const Shape& shape) {
  const std::int64_t rows = shape[0];
  OutputTensor tensor{.shape = {config_.moe.n_experts, rows, shape[1]}};
  LLM_ASSIGN_OR_RETURN(tensor.name, target_name(all, layer));
  auto experts = std::make_shared<std::vector<StoredRows>>();
  for (std::int64_t e = 0; e < config_.moe.n_experts; ++e) {
    LLM_ASSIGN_OR_RETURN(StoredRows expert, rows_of(models::of_expert(name(one, layer), e), shape));
    tensor.stored.push_back(expert.entry);
    experts->push_back(std::move(expert));
  }
  tensor.read = [experts, rows](std::int64_t row, float* values) {
    (*experts)[static_cast<std::size_t>(row / rows)].read(row % rows, values);
  };
  tensors_.push_back(std::move(tensor));
  return {};
}

}  // namespace

Result<std::vector<OutputTensor>> gguf_tensors(const formats::ModelFile& file,
                                               const ModelConfig& config,
                                               const models::GgufExport& target) {
  return Planner(file, config, target).plan();
}

}  // namespace llm::offline
