// GgufMetadata: the typed key-value pairs at the head of a GGUF file
// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). Writers differ in integer width, so
// the getters accept any integer type that holds the value. Plain value type.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "formats/gguf_type.h"
#include "llm/status.h"

namespace llm::formats {

/// Arrays keep their element kind; all integers are widened (unsigned 64-bit values above the
/// signed range are refused when the file is read).
using GgufArray = std::variant<std::vector<std::int64_t>, std::vector<double>, std::vector<bool>,
                               std::vector<std::string>>;
using GgufValue = std::variant<std::int64_t, double, bool, std::string, GgufArray>;

class GgufMetadata {
 public:
  const std::map<std::string, GgufValue, std::less<>>& values() const { return values_; }
  bool contains(std::string_view key) const { return values_.find(key) != values_.end(); }
  bool is_array(std::string_view key) const;

  /// False when the key exists already. The value will be written with the narrowest type that
  /// other readers expect: u32, or i32 below zero, or 64 bits; f32; integer arrays as i32.
  [[nodiscard]] bool insert(std::string key, GgufValue value);
  /// The same for a value read from a file, of which the stored type is known (of an array: the
  /// type of its elements).
  [[nodiscard]] bool insert(std::string key, GgufValue value, GgufType stored);
  /// Inserts or replaces.
  void set(std::string key, GgufValue value);
  /// False when there is no such key.
  bool erase(std::string_view key);

  /// Type of the value in a file (of an array: of its elements); nothing when the key is absent.
  std::optional<GgufType> stored_type(std::string_view key) const;

  /// Each getter: nothing when the key is absent; an error that names the key, the expected and
  /// the found type when it has another type. Floats accept integers.
  Result<std::optional<std::int64_t>> get_int(std::string_view key) const;
  Result<std::optional<double>> get_float(std::string_view key) const;
  Result<std::optional<bool>> get_bool(std::string_view key) const;
  Result<std::optional<std::string>> get_string(std::string_view key) const;
  /// Null when absent. An empty array fits every element kind.
  Result<const std::vector<std::int64_t>*> get_ints(std::string_view key) const;
  Result<const std::vector<double>*> get_floats(std::string_view key) const;
  Result<const std::vector<bool>*> get_bools(std::string_view key) const;
  Result<const std::vector<std::string>*> get_strings(std::string_view key) const;

 private:
  template <class T>
  Result<std::optional<T>> get(std::string_view key, std::string_view expected) const;
  template <class T>
  Result<const std::vector<T>*> get_array(std::string_view key, std::string_view expected) const;

  std::map<std::string, GgufValue, std::less<>> values_;
  std::map<std::string, GgufType, std::less<>> stored_types_;  // those known from a file
};

}  // namespace llm::formats
