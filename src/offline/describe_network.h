// What a model computes, layer by layer, as its architecture's spec expands it for one file: norms
// and where they stand, attention, rotary positions, matrices, experts. Plain values; made from a
// plan, without reading matrices.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "llm/dtype.h"
#include "llm/status.h"

namespace llm::offline {

/// y = matrix * x (+ bias): (rows, cols), of the type it has in memory.
struct MatrixDescription {
  std::string_view name;  ///< its role, e.g. "q"
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  DType dtype = DType::f32;
  bool bias = false;
  std::int64_t copies = 1;  ///< of equal shape: one for each head, or for each expert

  bool operator==(const MatrixDescription&) const = default;
};

struct NormDescription {
  std::string_view name;  ///< where it stands, e.g. "attention_norm"
  std::string_view kind;  ///< "rms" or "layer"
  std::int64_t size = 0;  ///< values that are normed together
  std::int64_t sets = 1;  ///< of weights: one for all, or one for each head
  float eps = 0;
  bool bias = false;

  bool operator==(const NormDescription&) const = default;
};

struct RopeDescription {
  double theta = 0;
  int dims = 0;              ///< components of a head that rotate
  std::string_view scaling;  ///< "none", "linear", "dynamic", "llama3", "yarn", "longrope"
  double factor = 1;
  std::int64_t original_positions = 0;  ///< 0: the scaling has no such length
  float attention_factor = 1;           ///< of cosines and sines
  bool divisors = false;                ///< the file has a divisor for each pair

  bool operator==(const RopeDescription&) const = default;
};

/// Latent attention: widths. q_latent 0: queries are made directly.
struct LatentDescription {
  std::int64_t q_latent = 0, kv_latent = 0, unrotated = 0, rotated = 0, value = 0;

  bool operator==(const LatentDescription&) const = default;
};

struct AttentionDescription {
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;  ///< of queries and keys
  float scale = 1;
  float softcap = 0;        ///< 0: none
  std::int64_t window = 0;  ///< last positions seen, the own one included; 0: all
  std::optional<RopeDescription> rope;
  std::optional<LatentDescription> latent;
  std::vector<NormDescription> norms;  ///< of heads or latents
  std::vector<MatrixDescription> matrices;

  bool operator==(const AttentionDescription&) const = default;
};

/// How a token chooses experts.
struct RoutingDescription {
  std::int64_t experts = 0;
  std::int64_t used = 0;
  std::string_view score;    ///< "softmax" or "sigmoid"
  bool choice_bias = false;  ///< added to the scores for choosing only
  bool normalized = false;   ///< weights of the chosen add up to 1 before scaling
  float scale = 1;           ///< of the weights
  std::int64_t groups = 1;
  std::int64_t groups_used = 1;
  std::string_view group_score;  ///< "best" or "best two"
  bool shared = false;           ///< one more expert that every token uses
  bool shared_gate = false;      ///< which counts by a sigmoid of its own

  bool operator==(const RoutingDescription&) const = default;
};

struct FeedForwardDescription {
  bool gated = true;  ///< down(act(gate(x)) * up(x)), or down(act(up(x)))
  std::string_view activation;
  std::optional<RoutingDescription> routing;
  std::vector<MatrixDescription> matrices;

  bool operator==(const FeedForwardDescription&) const = default;
};

/// One layer, and the layers that are like it.
struct LayerDescription {
  /// First and last index of each range, both included.
  std::vector<std::pair<std::int64_t, std::int64_t>> layers;
  bool parallel = false;  ///< attention and feed-forward network both see the layer's input
  std::vector<NormDescription> norms;  ///< in order of computation
  AttentionDescription attention;
  FeedForwardDescription ffn;

  bool has_norm(std::string_view name) const;
};

struct NetworkDescription {
  MatrixDescription embedding;  ///< as stored
  float embedding_scale = 1;
  std::int64_t n_layers = 0;
  std::vector<LayerDescription> kinds;  ///< in order of their first layer
  NormDescription final_norm;
  MatrixDescription head;
  bool head_tied = false;   ///< it is the embedding
  float logit_softcap = 0;  ///< 0: none
};

/// `dtype` as in LoadOptions. Errors as of loading the model.
Result<NetworkDescription> describe_network(const std::string& path, const std::string& dtype);

}  // namespace llm::offline
