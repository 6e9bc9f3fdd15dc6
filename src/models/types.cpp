#include <map>

#include "core/error.h"
#include "core/log.h"
#include "core/quote.h"
#include "models/load.h"

namespace llm::models {
namespace {

// The type that most bytes of the matrices have.
DType dominant_type(const formats::ModelFile& file) {
  std::map<DType, std::size_t> bytes;
  for (const formats::TensorEntry& entry : file.tensors()) {
    if (entry.view.shape.rank() >= 2) bytes[entry.view.dtype] += entry.view.bytes;
  }
  DType most = DType::f32;
  std::size_t best = 0;
  for (const auto& [dtype, count] : bytes) {
    if (count > best) {
      most = dtype;
      best = count;
    }
  }
  return most;
}

bool is_run_type(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16;
}

}  // namespace

Result<ModelTypes> resolve_types(const formats::ModelFile& file, const std::string& dtype) {
  const std::optional<DType> named = dtype_from_name(dtype);
  if (!dtype.empty() && dtype != "auto" && !(named && is_run_type(*named))) {
    return core::invalid_argument("Unsupported dtype: {}", dtype);
  }
  const DType stored = dominant_type(file);
  ModelTypes types;
  if (file.format() == formats::FileFormat::gguf) {
    if (!dtype.empty() && dtype != "auto") {
      core::log(core::LogLevel::warning,
                "dtype {} has no effect: a GGUF file keeps its own types ({})", dtype,
                to_string(stored));
    }
    types.reported = stored;
    types.supported = {stored};
    types.quantized = is_block_quantized(stored);
    // Float files keep their precision in the cache as well; quantised ones get f16.
    types.kv = is_run_type(stored) ? stored : DType::f16;
    return types;
  }
  types.reported = named.value_or(DType::f32);
  if (dtype == "auto") {
    if (!is_run_type(stored)) {
      return core::unsupported(
          "{}: dtype auto: weights are stored as {}, expected f32, f16 or bf16",
          file.path().string(), to_string(stored));
    }
    types.reported = stored;
  }
  types.weights = types.reported;
  types.kv = types.reported;
  types.supported = {DType::f32, DType::f16, DType::bf16};
  return types;
}

Status set_kv_dtype(ModelTypes& types, const std::string& kv_dtype) {
  if (kv_dtype.empty() || kv_dtype == "auto") return {};
  const std::optional<DType> named = dtype_from_name(kv_dtype);
  if (!named || !(is_run_type(*named) || *named == DType::q8_0)) {
    return core::invalid_argument("kv_dtype {}: expected auto, f32, f16, bf16 or q8_0",
                                  core::printable(kv_dtype));
  }
  types.kv = *named;
  types.kv_named = true;
  return {};
}

}  // namespace llm::models
