#include "formats/gguf_metadata.h"

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "core/quote.h"

namespace llm::formats {
namespace {

bool is_empty_array(const GgufValue& value) {
  const auto* array = std::get_if<GgufArray>(&value);
  return array != nullptr && std::visit([](const auto& items) { return items.empty(); }, *array);
}

/// What a value is, for messages.
std::string_view kind_name(const GgufValue& value) {
  static constexpr std::string_view kScalars[] = {"an integer", "a float", "a bool", "a string"};
  static constexpr std::string_view kArrays[] = {"an array of integers", "an array of floats",
                                                 "an array of bools", "an array of strings"};
  if (const auto* array = std::get_if<GgufArray>(&value)) return kArrays[array->index()];
  return kScalars[value.index()];
}

Status wrong_kind(std::string_view key, std::string_view expected, const GgufValue& found) {
  return core::corrupt_data("metadata key {}: expected {}, found {}", core::quote(key), expected,
                            kind_name(found));
}

struct DefaultType {
  GgufType operator()(std::int64_t value) const {
    if (value >= 0 && value <= std::numeric_limits<std::uint32_t>::max()) return GgufType::u32;
    if (value < 0 && value >= std::numeric_limits<std::int32_t>::min()) return GgufType::i32;
    return GgufType::i64;
  }
  GgufType operator()(double) const { return GgufType::f32; }
  GgufType operator()(bool) const { return GgufType::boolean; }
  GgufType operator()(const std::string&) const { return GgufType::string; }
  GgufType operator()(const GgufArray& array) const { return std::visit(*this, array); }

  GgufType operator()(const std::vector<std::int64_t>& items) const {
    const bool fits = std::all_of(items.begin(), items.end(), [](std::int64_t item) {
      return item >= std::numeric_limits<std::int32_t>::min() &&
             item <= std::numeric_limits<std::int32_t>::max();
    });
    return fits ? GgufType::i32 : GgufType::i64;
  }
  GgufType operator()(const std::vector<double>&) const { return GgufType::f32; }
  GgufType operator()(const std::vector<bool>&) const { return GgufType::boolean; }
  GgufType operator()(const std::vector<std::string>&) const { return GgufType::string; }
};

}  // namespace

bool GgufMetadata::insert(std::string key, GgufValue value) {
  return values_.try_emplace(std::move(key), std::move(value)).second;
}

bool GgufMetadata::insert(std::string key, GgufValue value, GgufType stored) {
  if (contains(key)) return false;
  stored_types_.insert_or_assign(key, stored);
  return insert(std::move(key), std::move(value));
}

void GgufMetadata::set(std::string key, GgufValue value) {
  stored_types_.erase(key);
  values_.insert_or_assign(std::move(key), std::move(value));
}

bool GgufMetadata::erase(std::string_view key) {
  const auto found = values_.find(key);
  if (found == values_.end()) return false;
  stored_types_.erase(found->first);
  values_.erase(found);
  return true;
}

bool GgufMetadata::is_array(std::string_view key) const {
  const auto found = values_.find(key);
  return found != values_.end() && std::holds_alternative<GgufArray>(found->second);
}

std::optional<GgufType> GgufMetadata::stored_type(std::string_view key) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return std::nullopt;
  if (const auto known = stored_types_.find(key); known != stored_types_.end()) {
    return known->second;
  }
  return std::visit(DefaultType{}, found->second);
}

template <class T>
Result<std::optional<T>> GgufMetadata::get(std::string_view key, std::string_view expected) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return std::optional<T>();
  if (const T* value = std::get_if<T>(&found->second)) return std::optional<T>(*value);
  return wrong_kind(key, expected, found->second);
}

Result<std::optional<std::int64_t>> GgufMetadata::get_int(std::string_view key) const {
  return get<std::int64_t>(key, "an integer");
}

Result<std::optional<double>> GgufMetadata::get_float(std::string_view key) const {
  const auto found = values_.find(key);
  if (found != values_.end()) {
    if (const auto* integer = std::get_if<std::int64_t>(&found->second)) {
      return std::optional<double>(static_cast<double>(*integer));
    }
  }
  return get<double>(key, "a float");
}

Result<std::optional<bool>> GgufMetadata::get_bool(std::string_view key) const {
  return get<bool>(key, "a bool");
}

Result<std::optional<std::string>> GgufMetadata::get_string(std::string_view key) const {
  return get<std::string>(key, "a string");
}

template <class T>
Result<const std::vector<T>*> GgufMetadata::get_array(std::string_view key,
                                                      std::string_view expected) const {
  using Pointer = const std::vector<T>*;
  static const std::vector<T> kEmpty;
  const auto found = values_.find(key);
  if (found == values_.end()) return Pointer{nullptr};
  if (const auto* array = std::get_if<GgufArray>(&found->second)) {
    if (const auto* items = std::get_if<std::vector<T>>(array)) return Pointer{items};
  }
  if (is_empty_array(found->second)) return Pointer{&kEmpty};
  return wrong_kind(key, expected, found->second);
}

Result<const std::vector<std::int64_t>*> GgufMetadata::get_ints(std::string_view key) const {
  return get_array<std::int64_t>(key, "an array of integers");
}

Result<const std::vector<double>*> GgufMetadata::get_floats(std::string_view key) const {
  return get_array<double>(key, "an array of floats");
}

Result<const std::vector<bool>*> GgufMetadata::get_bools(std::string_view key) const {
  return get_array<bool>(key, "an array of bools");
}

Result<const std::vector<std::string>*> GgufMetadata::get_strings(std::string_view key) const {
  return get_array<std::string>(key, "an array of strings");
}

}  // namespace llm::formats
