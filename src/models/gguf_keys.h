// GgufKeys: "<architecture>.<key>" values of a GGUF file's metadata; every error names the file. A
// view: the file must outlive it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "formats/model_file.h"
#include "llm/status.h"

namespace llm::models {

class GgufKeys {
 public:
  GgufKeys(const formats::ModelFile& file, std::string architecture)
      : file_(file), architecture_(std::move(architecture)) {}

  Result<std::int64_t> require_int(std::string_view key) const;
  Result<std::int64_t> int_or(std::string_view key, std::int64_t fallback) const;
  /// A number that may be stated for each layer by itself, as long as all are equal: the same.
  Result<std::int64_t> require_layer_int(std::string_view key, std::int64_t n_layers) const;
  Result<std::int64_t> layer_int_or(std::string_view key, std::int64_t n_layers,
                                    std::int64_t fallback) const;
  /// One for each layer; empty when the key is absent or not an array.
  Result<std::vector<bool>> layer_bools(std::string_view key, std::int64_t n_layers) const;
  Result<double> float_or(std::string_view key, double fallback) const;
  Result<std::optional<double>> optional_float(std::string_view key) const;
  Result<bool> bool_or(std::string_view key, bool fallback) const;
  Result<std::string> string_or(std::string_view key, std::string fallback) const;

  /// Whether a layer has a tensor of that name ("{}" stands for the layer).
  bool has_tensor(std::string_view name, std::int64_t layer = 0) const;
  /// A vector of f32 as it is stored; absent when there is no such tensor.
  Result<std::vector<float>> vector_or_empty(std::string_view tensor, std::int64_t size) const;

  std::string full(std::string_view key) const { return architecture_ + "." + std::string(key); }
  std::string where() const { return file_.path().string(); }

 private:
  Result<std::optional<std::int64_t>> optional_int(std::string_view key) const;
  Result<std::optional<std::int64_t>> optional_layer_int(std::string_view key,
                                                         std::int64_t n_layers) const;
  Status missing(std::string_view key) const;
  Status located(const Status& status) const { return status.with_prefix(where()); }

  const formats::ModelFile& file_;
  std::string architecture_;
};

}  // namespace llm::models
