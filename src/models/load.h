// load_decoder: from an opened model file to a Decoder that runs: reads the configuration, decides
// types, plans memory, prepares weights.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/memory.h"
#include "core/thread_pool.h"
#include "formats/model_file.h"
#include "kernels/kernels.h"
#include "llm/engine.h"
#include "llm/model_info.h"
#include "models/config.h"
#include "models/decoder.h"

namespace llm::models {

struct DecoderOptions {
  /// "", "auto", "f32", "f16", "bf16"; see resolve_types().
  std::string dtype;
  std::string kv_dtype;                    ///< LoadOptions::kv_dtype
  std::int64_t context = 0;                ///< positions per sequence; 0: the model's
  int max_sequences = 0;                   ///< 0: chosen
  std::int64_t max_batch_rows = 0;         ///< 0: chosen
  std::size_t kv_cache_bytes = 0;          ///< 0: chosen
  std::optional<std::size_t> max_weights;  ///< bytes that weights may take; absent: what there is
  /// What the caller will take beside the decoder: once, and for every page of the cache. May be
  /// empty.
  std::function<std::size_t(const ModelConfig&, std::int64_t context, int sequences)> other_bytes;
  std::size_t other_bytes_per_page = 0;
  std::string packed_cache;  ///< LoadOptions::packed_cache
  /// What may be taken; absent: what the machine and the control groups leave now.
  std::optional<core::AvailableMemory> available;
  /// Prepares the weights instead of the pool that steps run on; null: that one.
  core::ThreadPool* loading_pool = nullptr;
  /// Called after each layer, on the calling thread; may be empty.
  std::function<void(const LoadProgress&)> on_progress;
  /// Looked at after each layer: once true, loading ends as cancelled. May be null.
  const std::atomic<bool>* stop = nullptr;
};

/// Types of a model in memory.
struct ModelTypes {
  std::optional<DType> weights;  ///< matrices are converted to it; absent: kept as stored
  DType reported = DType::f32;   ///< ModelCapabilities::dtype
  DType kv = DType::f32;
  bool kv_named = false;  ///< by DecoderOptions::kv_dtype
  std::vector<DType> supported;
  bool quantized = false;
};

/// What `dtype` means for this file. safetensors: f32 unless named, "auto" = as stored. GGUF: its
/// own types always (a dtype given is noted in the log). Unknown names: "Unsupported dtype: X".
Result<ModelTypes> resolve_types(const formats::ModelFile& file, const std::string& dtype);

/// Sets the type of the KV cache to the one named; "" and "auto" leave what goes with the other
/// types. Unknown names are refused with the choices.
Status set_kv_dtype(ModelTypes& types, const std::string& kv_dtype);

struct LoadedModel {
  ModelConfig config;
  ModelTypes types;
  std::int64_t context = 0;  ///< positions per sequence
  int max_sequences = 0;
  std::int64_t max_rows = 0;  ///< of a step
  std::int64_t kv_pages = 0;
  std::uint64_t parameters = 0;
  std::size_t expert_bytes = 0;      ///< weights of experts among which rows choose
  MemoryPlan memory;                 ///< of the decoder: weights, cache and scratch
  std::unique_ptr<Decoder> decoder;  ///< null in a plan
};

/// What load_decoder would give now, without a decoder: the same checks of every tensor and the
/// same memory plan to the byte, but no weight is read and no memory taken. What cannot fit is
/// refused with the numbers.
Result<LoadedModel> plan_decoder(const formats::ModelFile& file, const DecoderOptions& options,
                                 const kernels::Ops& ops, core::ThreadPool& pool);

/// Plans, then reads the weights. `ops` and `pool` must outlive the result, `file` need not:
/// embedding rows are read from the file itself.
Result<LoadedModel> load_decoder(const formats::ModelFile& file, const DecoderOptions& options,
                                 const kernels::Ops& ops, core::ThreadPool& pool);

}  // namespace llm::models
