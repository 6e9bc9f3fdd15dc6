// What a loaded model is and what it can do. Plain value types.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "llm/dtype.h"
#include "llm/export.h"

namespace llm {

/// Tokens that end a generation: the union of every source that names one. Sorted, unique.
class EosTokens {
 public:
  EosTokens() = default;
  /// `primary` is listed first when several are reported; -1 or absent ids are dropped.
  LLM_API EosTokens(std::int32_t primary, std::vector<std::int32_t> ids);

  bool is_eos(std::int32_t id) const {
    return std::binary_search(ids_.begin(), ids_.end(), id);
  }
  /// The main end token, or -1 when the model names none.
  std::int32_t primary() const { return primary_; }
  const std::vector<std::int32_t>& ids() const { return ids_; }
  bool empty() const { return ids_.empty(); }

 private:
  std::int32_t primary_ = -1;
  std::vector<std::int32_t> ids_;
};

struct ModelCapabilities {
  std::string architecture_family;  ///< e.g. "llama"
  /// Type of the weight matrices in memory; for GGUF the type that most of them have.
  DType dtype = DType::f32;
  DType kv_dtype = DType::f32;  ///< of the KV cache
  /// It was named (LoadOptions::kv_dtype), so that other precisions have the same; else their own.
  bool kv_dtype_named = false;
  std::vector<DType> supported_dtypes;  ///< GGUF: its own type alone
  bool is_quantized = false;
  std::int64_t max_context_length = 0;  ///< positions of one sequence, as loaded
  std::int64_t vocab_size = 0;
  EosTokens eos_tokens;
  std::uint64_t parameters = 0;  ///< number of weights

  bool supports_dtype(DType wanted) const {
    return std::find(supported_dtypes.begin(), supported_dtypes.end(), wanted) !=
           supported_dtypes.end();
  }
};

/// Memory of a loaded model, in bytes: what is resident once everything has been used. All of it is
/// known before loading, to the byte but for the two parts that are measured.
struct MemoryPlan {
  std::size_t weights = 0;
  std::size_t kv_per_token = 0;  ///< all layers
  std::size_t kv_cache = 0;      ///< the whole cache; a page becomes resident when it is first used
  std::size_t scratch = 0;       ///< activations, logits, per-thread work space, sampling
  std::size_t tables = 0;        ///< tokens and pages of every request, prefix cache
  std::size_t tokenizer = 0;     ///< measured
  std::size_t program = 0;       ///< resident before loading began, measured
  std::size_t total() const { return weights + kv_cache + scratch + tables + tokenizer + program; }
};

struct ModelInfo {
  std::string name;    ///< last part of the path
  std::string path;
  std::string format;  ///< "safetensors" or "gguf"
  std::string device;  ///< "cpu"
  std::string instruction_set;  ///< kernels in use, e.g. "avx512"
  int threads = 1;
  std::int64_t trained_context_length = 0;  ///< what the model file states
  int max_sequences = 0;                    ///< sequences that can run at once
  ModelCapabilities capabilities;
  MemoryPlan memory;
};

}  // namespace llm
