// ArchSpec: everything that distinguishes one architecture from Llama, as data. The decoder and the
// blocks know no architecture by name; a file in arch/ states one or more specs, and only their
// differences, since every default here is Llama's. What cannot be a value (how the layers of a
// model differ from each other) is a short function beside the spec, which edits a ModelConfig.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "formats/hf_config.h"
#include "kernels/kernels.h"
#include "models/tensor_names.h"

namespace llm::models {

class GgufKeys;
struct GgufExport;
struct ModelConfig;

/// Values that a Hugging Face configuration class assumes where config.json lacks the key.
/// 0 in a size: the key is required.
struct ConfigDefaults {
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t ffn_size = 0;
  std::int64_t n_layers = 0;
  std::int64_t n_heads = 0;
  std::int64_t n_kv_heads = 0;  ///< 0: as many as attention heads
  std::int64_t head_dim = 0;    ///< 0: hidden_size / n_heads
  std::int64_t max_positions = 2048;
  std::int64_t sliding_window = 0;  ///< 0: none
  double rope_theta = 10000.0;
  double partial_rotary = 1.0;
  double norm_eps = 1e-6;
  bool tie_embeddings = false;
};

/// Keys of config.json whose spelling varies; empty: the key is not read.
struct ConfigKeys {
  std::string_view n_layers = "num_hidden_layers";
  std::string_view n_heads = "num_attention_heads";
  std::string_view old_n_layers = {};  ///< earlier spellings
  std::string_view old_n_heads = {};
  std::string_view ffn_size = "intermediate_size";
  std::string_view norm_eps = "rms_norm_eps";
  std::string_view activation = "hidden_act";
  std::string_view sliding_window = {};  ///< a window on every layer
};

/// Whether something is there: stated by a key of config.json, or fixed where `key` is empty.
struct Switch {
  std::string_view key = {};
  bool fallback = false;
};

enum class NormKind : std::uint8_t { rms, layer };
enum class FfnKind : std::uint8_t { gated, plain };
/// sequential: x += attention(n1(x)); x += ffn(n2(x)).  parallel: x += attention(n1(x)) +
/// ffn(n2(x)), both from the x before, where n2 is n1 if the model has no second norm.
enum class LayerForm : std::uint8_t { sequential, parallel };
/// Rows of a fused q, k, v matrix: all q, all k, all v; or, per kv head, its q heads, k and v.
enum class QkvOrder : std::uint8_t { concatenated, grouped };

struct ArchSpec {
  std::string_view family;      ///< what capabilities report, e.g. "llama"
  std::string_view model_type;  ///< `model_type` in config.json
  std::string_view hf_class;    ///< `architectures[0]` in config.json
  /// `general.architecture` in GGUF; empty when GGUF files of it carry another spec's name.
  std::string_view gguf_architecture;
  /// That other spec's name.
  std::string_view gguf_alias = {};
  ConfigDefaults defaults = {};
  ConfigKeys keys = {};
  /// The object inside config.json that holds the language model's keys; empty: config.json itself.
  std::string_view nested_config = {};
  TensorNames hf_names = kLlamaHfNames;
  TensorNames gguf_names = kLlamaGgufNames;
  /// What may stand for the leading "model." of the names, besides that; space-separated.
  std::string_view hf_prefixes = {};
  /// Beginnings of names that belong to other parts of a larger model; space-separated.
  std::string_view ignored_prefixes = {};

  LayerForm form = LayerForm::sequential;
  NormKind norm = NormKind::rms;
  float hf_norm_offset = 0.0F;   ///< added to norm weights stored in safetensors (GGUF has the sum)
  bool scale_embedding = false;  ///< by sqrt(hidden_size)
  FfnKind ffn = FfnKind::gated;
  kernels::Activation activation = kernels::Activation::silu;  ///< where config.json names none
  Switch qkv_bias = {"attention_bias", false};
  Switch output_bias = {"attention_bias", false};
  Switch mlp_bias = {"mlp_bias", false};
  Switch head_bias = {};
  Switch head_norms = {};
  bool gguf_normalizes_experts = false;  ///< what GGUF means where it has no expert_weights_norm
  QkvOrder hf_qkv_order = QkvOrder::concatenated;
  /// GGUF stores q and k rows for interleaved rotary pairs (2i, 2i+1) instead of halves.
  bool gguf_interleaved_rope = false;
  /// Other readers of GGUF apply the sliding window that a file of this architecture states.
  bool gguf_window_is_common = false;
  /// llama.cpp's mixes of quantised types have rules of their own for it.
  bool own_quant_mix = false;
  /// Keys and values come from a latent, whose rotated part both formats store interleaved.
  bool latent_attention = false;

  /// Reads what is special in config.json or in GGUF metadata. Sizes, defaults for all layers and
  /// rotary positions are in place by then.
  Status (*finish_hf)(const formats::HfConfig& keys, ModelConfig& config) = nullptr;
  Status (*finish_gguf)(const GgufKeys& keys, ModelConfig& config) = nullptr;
  /// States in GGUF what finish_gguf reads, after everything that all architectures have.
  void (*write_gguf)(const ModelConfig& config, GgufExport& out) = nullptr;
};

/// Every architecture of this build.
std::span<const ArchSpec* const> all_specs();
/// Null when unknown.
const ArchSpec* find_spec_by_model_type(std::string_view model_type);
const ArchSpec* find_spec_by_gguf_architecture(std::string_view architecture);

}  // namespace llm::models
