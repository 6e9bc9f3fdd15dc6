#include "models/gguf_keys.h"

#include "core/error.h"
#include "models/tensor_names.h"
#include "quant/quant.h"

namespace llm::models {

Result<std::optional<std::int64_t>> GgufKeys::optional_int(std::string_view key) const {
  auto value = file_.gguf().get_int(full(key));
  if (!value) return located(value.error());
  return *value;
}

Result<std::int64_t> GgufKeys::require_int(std::string_view key) const {
  LLM_ASSIGN_OR_RETURN(const auto value, optional_int(key));
  if (!value) return core::corrupt_data("{}: metadata key {} is missing", where(), full(key));
  return *value;
}

Result<std::int64_t> GgufKeys::int_or(std::string_view key, std::int64_t fallback) const {
  LLM_ASSIGN_OR_RETURN(const auto value, optional_int(key));
  return value.value_or(fallback);
}

Result<double> GgufKeys::float_or(std::string_view key, double fallback) const {
  LLM_ASSIGN_OR_RETURN(const auto value, optional_float(key));
  return value.value_or(fallback);
}

Result<std::optional<double>> GgufKeys::optional_float(std::string_view key) const {
  auto value = file_.gguf().get_float(full(key));
  if (!value) return located(value.error());
  return *value;
}

Result<bool> GgufKeys::bool_or(std::string_view key, bool fallback) const {
  auto value = file_.gguf().get_bool(full(key));
  if (!value) return located(value.error());
  return value->value_or(fallback);
}

Result<std::string> GgufKeys::string_or(std::string_view key, std::string fallback) const {
  auto value = file_.gguf().get_string(full(key));
  if (!value) return located(value.error());
  return value->value_or(std::move(fallback));
}

bool GgufKeys::has_tensor(std::string_view name, std::int64_t layer) const {
  return file_.find(at_layer(name, layer)) != nullptr;
}

Result<std::vector<float>> GgufKeys::vector_or_empty(std::string_view tensor,
                                                     std::int64_t size) const {
  const formats::TensorEntry* entry = file_.find(tensor);
  if (entry == nullptr) return std::vector<float>();
  const core::TensorView& view = entry->view;
  const auto count = view.shape.elements();
  if (view.dtype != DType::f32 || !count || *count != size) {
    return core::corrupt_data("{}: tensor {}: expected f32 ({}), found {} {}", where(), tensor,
                              size, to_string(view.dtype), view.shape.to_string());
  }
  std::vector<float> values(static_cast<std::size_t>(size));
  quant::decode_row(view.dtype, view.data, values.data(), size);
  return values;
}

}  // namespace llm::models
