// NetworkBuilder: turns the tensors of one file into the network that a ModelConfig describes.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "models/config.h"
#include "models/file_names.h"
#include "models/load.h"
#include "models/network.h"
#include "models/weight_loader.h"

namespace llm::models {

class NetworkBuilder {
 public:
  /// All references must outlive the builder.
  NetworkBuilder(const formats::ModelFile& file, const ModelConfig& config, const ModelTypes& types,
                 const kernels::Ops& ops, core::ThreadPool& pool, LoadMode mode,
                 PackedWeights* packed = nullptr);

  /// Every tensor of the file is claimed, or an error names it. See DecoderOptions for `stop`.
  Result<Network> build(const std::function<void(const LoadProgress&)>& on_progress,
                        const std::atomic<bool>* stop = nullptr);

  std::uint64_t parameters() const { return parameters_ + loader_.parameters(); }
  /// As WeightLoader's.
  std::vector<formats::PackedMatrixEntry> take_matrices() { return loader_.take_matrices(); }

 private:
  Status load_embedding(Embedding& embedding);
  Status load_head(Network& network);
  Result<Layer> load_layer(std::int64_t layer);
  Result<AttentionGqa> load_attention(std::int64_t layer);
  Result<AttentionMla> load_latent_attention(std::int64_t layer);
  Status load_head_matrices(std::int64_t layer, AttentionMla& attention);
  /// A norm over `size` values, without a bias.
  Result<Norm> latent_norm(std::string_view pattern, std::int64_t layer, std::int64_t size);
  Result<FfnDense> load_ffn(std::int64_t layer);
  Result<FfnMoe> load_moe(std::int64_t layer);
  Result<FfnDense> load_expert(std::int64_t layer, std::int64_t expert);
  Status load_shared_expert(std::int64_t layer, FfnMoe& moe);

  /// The norm of that name, or none where the architecture has no name for it.
  Result<Norm> norm(std::string_view pattern, std::int64_t layer);
  /// Of every head: one vector for all, or one for each (a matrix or numbered tensors).
  Result<Norm> head_norm(std::string_view pattern, std::int64_t layer, std::int64_t n_heads);
  std::vector<LinearPart> qkv_parts(std::int64_t layer) const;
  std::vector<LinearPart> gate_up_parts(std::int64_t layer) const;
  /// The name of a tensor in this file.
  std::string name(std::string_view pattern, std::int64_t layer = 0) const {
    return names_.name(pattern, layer);
  }
  bool has(std::string_view pattern, std::int64_t layer) const {
    return names_.has(pattern, layer);
  }
  BiasRule bias_rule(bool stated) const;

  const formats::ModelFile& file_;
  const ModelConfig& config_;
  const ModelTypes& types_;
  bool gguf_;
  FileNames names_;
  WeightLoader loader_;
  std::uint64_t parameters_ = 0;
};

}  // namespace llm::models
