// HfConfig: typed reading of config.json and its siblings. In these files "absent" (the class
// default applies) and "null" (the feature is off) mean different things, so every getter tells
// them apart. Errors read "config.json: rope_scaling.factor: expected a number, found "x"".
// A view: the JSON must outlive it. Cheap to copy; any thread.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.h"
#include "llm/status.h"

namespace llm::formats {

/// What a file says about one key: nothing, null, or a value.
template <class T>
class Setting {
 public:
  static Setting absent() { return Setting(false, std::nullopt); }
  static Setting null() { return Setting(true, std::nullopt); }
  Setting(T value) : present_(true), value_(std::move(value)) {}  // NOLINT(*explicit*)

  bool is_absent() const { return !present_; }
  bool is_null() const { return present_ && !value_; }
  bool has_value() const { return value_.has_value(); }
  /// Requires has_value().
  const T& operator*() const { return *value_; }
  const T* operator->() const { return &*value_; }

  /// For keys where null means the same as absent.
  T value_or(T fallback) const { return value_ ? *value_ : std::move(fallback); }
  /// For keys where null switches something off: null gives nothing, absent gives the default.
  std::optional<T> or_default(std::optional<T> when_absent) const {
    return present_ ? value_ : std::move(when_absent);
  }

 private:
  Setting(bool present, std::optional<T> value) : present_(present), value_(std::move(value)) {}

  bool present_;
  std::optional<T> value_;
};

struct IntRange {
  std::int64_t low = std::numeric_limits<std::int64_t>::min();
  std::int64_t high = std::numeric_limits<std::int64_t>::max();
};

class HfConfig {
 public:
  /// `object` is a JSON object; `file` starts every message, e.g. "models/x/config.json".
  HfConfig(const core::Json& object, std::string file);

  bool contains(std::string_view key) const { return object_->contains(key); }
  const core::Json& json() const { return *object_; }

  /// A whole number within the range.
  Result<Setting<std::int64_t>> get_int(std::string_view key, IntRange range = {}) const;
  /// Any finite number; whole ones too.
  Result<Setting<double>> get_float(std::string_view key) const;
  Result<Setting<bool>> get_bool(std::string_view key) const;
  Result<Setting<std::string>> get_string(std::string_view key) const;
  /// Lists; a single value counts as a list of one (`"eos_token_id": 2`).
  Result<Setting<std::vector<std::int64_t>>> get_ints(std::string_view key,
                                                      IntRange range = {}) const;
  Result<Setting<std::vector<double>>> get_floats(std::string_view key) const;
  Result<Setting<std::vector<std::string>>> get_strings(std::string_view key) const;
  /// A nested object; its errors carry the path ("rope_scaling.factor").
  Result<Setting<HfConfig>> get_object(std::string_view key) const;

  /// The same for a key that must be there: absent and null are errors.
  Result<std::int64_t> require_int(std::string_view key, IntRange range = {}) const;
  Result<double> require_float(std::string_view key) const;
  Result<std::string> require_string(std::string_view key) const;

  /// An error about a key that a caller wants to report: "file: path.key: message".
  Status error(std::string_view key, std::string_view message) const;

 private:
  HfConfig(const core::Json& object, std::string file, std::string path);

  template <class T, class Convert>
  Result<Setting<T>> get(std::string_view key, Convert convert) const;
  template <class T, class Convert>
  Result<Setting<std::vector<T>>> get_list(std::string_view key, Convert convert) const;
  template <class T>
  Result<T> require(std::string_view key, Result<Setting<T>> setting) const;

  const core::Json* object_;
  std::string file_;
  std::string path_;  // "" or "rope_scaling."
};

}  // namespace llm::formats
