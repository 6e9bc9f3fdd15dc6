// HfConfig: typed reading of config.json (or an object inside it). "Absent" and "null" are told
// apart where that matters: absent means the class default, null usually means "off". Errors name
// the source, the key, what was expected and what was found. A view: the JSON must outlive it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "llm/status.h"

namespace llm::formats {

class HfConfig {
 public:
  /// `json` must be an object; `where` names it in errors, e.g. "/models/x/config.json".
  HfConfig(const core::Json& json, std::string where) : json_(&json), where_(std::move(where)) {}

  const core::Json& json() const { return *json_; }
  const std::string& where() const { return where_; }

  /// There, and not null.
  bool has_value(std::string_view key) const;
  /// There, and null.
  bool is_null(std::string_view key) const;

  // The value, or `fallback` when the key is absent or null; an error for any other type.
  Result<std::int64_t> get_int(std::string_view key, std::int64_t fallback) const;
  Result<double> get_float(std::string_view key, double fallback) const;
  Result<bool> get_bool(std::string_view key, bool fallback) const;
  Result<std::string> get_string(std::string_view key, std::string fallback) const;
  /// An object inside this one; an empty one when absent or null.
  Result<HfConfig> get_object(std::string_view key) const;

  // The value; absent or null is an error.
  Result<std::int64_t> require_int(std::string_view key) const;
  Result<double> require_float(std::string_view key) const;
  /// Exactly `size` numbers.
  Result<std::vector<float>> require_floats(std::string_view key, std::size_t size) const;

 private:
  const core::Json* find(std::string_view key) const;  // null when absent or null
  Status wrong_type(std::string_view key, std::string_view expected, const core::Json& found) const;
  Status missing(std::string_view key, std::string_view expected) const;

  const core::Json* json_;
  std::string where_;
};

}  // namespace llm::formats
