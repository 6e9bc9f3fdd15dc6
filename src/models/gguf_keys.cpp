#include "models/gguf_keys.h"

#include <algorithm>

#include "core/error.h"
#include "models/tensor_names.h"
#include "quant/quant.h"

namespace llm::models {

Result<std::optional<std::int64_t>> GgufKeys::optional_int(std::string_view key) const {
  auto value = file_.gguf().get_int(full(key));
  if (!value) return located(value.error());
  return *value;
}

Status GgufKeys::missing(std::string_view key) const {
  return core::corrupt_data("{}: metadata key {} is missing", where(), full(key));
}

Result<std::int64_t> GgufKeys::require_int(std::string_view key) const {
  LLM_ASSIGN_OR_RETURN(const auto value, optional_int(key));
  if (!value) return missing(key);
  return *value;
}

Result<std::optional<std::int64_t>> GgufKeys::optional_layer_int(std::string_view key,
                                                                 std::int64_t n_layers) const {
  if (!file_.gguf().is_array(full(key))) return optional_int(key);
  const auto found = file_.gguf().get_ints(full(key));
  if (!found) return located(found.error());
  const std::vector<std::int64_t>& values = **found;
  const auto layers = static_cast<std::size_t>(std::max<std::int64_t>(n_layers, 1));
  if (values.size() < layers) {
    return core::corrupt_data("{}: {}: expected one number for each of {} layers, found {}",
                              where(), full(key), n_layers, values.size());
  }
  for (std::size_t l = 1; l < layers; ++l) {
    if (values[l] == values[0]) continue;
    return core::unsupported("{}: {}: layers that differ are not supported, found {} and {}",
                             where(), full(key), values[0], values[l]);
  }
  return std::optional(values[0]);
}

Result<std::int64_t> GgufKeys::require_layer_int(std::string_view key,
                                                 std::int64_t n_layers) const {
  LLM_ASSIGN_OR_RETURN(const auto value, optional_layer_int(key, n_layers));
  if (!value) return missing(key);
  return *value;
}

Result<std::int64_t> GgufKeys::layer_int_or(std::string_view key, std::int64_t n_layers,
                                            std::int64_t fallback) const {
  LLM_ASSIGN_OR_RETURN(const auto value, optional_layer_int(key, n_layers));
  return value.value_or(fallback);
}

Result<std::vector<bool>> GgufKeys::layer_bools(std::string_view key, std::int64_t n_layers) const {
  if (!file_.gguf().is_array(full(key))) return std::vector<bool>();
  const auto found = file_.gguf().get_bools(full(key));
  if (!found) return located(found.error());
  if (static_cast<std::int64_t>((*found)->size()) < n_layers) {
    return core::corrupt_data("{}: {}: expected one bool for each of {} layers, found {}", where(),
                              full(key), n_layers, (*found)->size());
  }
  return **found;
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
