#include "formats/hf_config.h"

#include <cmath>

#include "core/check.h"
#include "core/error.h"
#include "core/quote.h"

namespace llm::formats {
namespace {

using core::Json;

/// A short rendering of a value for messages.
std::string shown(const Json& value) {
  if (value.is_array()) return fmt::format("an array of {}", value.size());
  if (value.is_object()) return "an object";
  return core::printable(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

// Converters: an empty string is success, else what was expected.

std::string convert_int(const Json& value, IntRange range, std::int64_t& result) {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  const bool whole =
      value.is_number_integer() && !(value.is_number_unsigned() &&
                                     value.get<std::uint64_t>() > static_cast<std::uint64_t>(kMax));
  if (whole) result = value.get<std::int64_t>();
  if (whole && result >= range.low && result <= range.high) return {};
  if (range.low == IntRange{}.low && range.high == kMax) return "a whole number";
  if (range.high == kMax) return fmt::format("a whole number of at least {}", range.low);
  return fmt::format("a whole number from {} to {}", range.low, range.high);
}

std::string convert_float(const Json& value, double& result) {
  if (!value.is_number()) return "a number";
  result = value.get<double>();
  return std::isfinite(result) ? "" : "a finite number";
}

std::string convert_string(const Json& value, std::string& result) {
  if (!value.is_string()) return "a string";
  result = value.get<std::string>();
  return {};
}

}  // namespace

HfConfig::HfConfig(const Json& object, std::string file) : HfConfig(object, std::move(file), "") {}

HfConfig::HfConfig(const Json& object, std::string file, std::string path)
    : object_(&object), file_(std::move(file)), path_(std::move(path)) {
  LLM_CHECK(object.is_object());
}

Status HfConfig::error(std::string_view key, std::string_view message) const {
  return core::corrupt_data("{}: {}{}: {}", file_, path_, core::printable(key), message);
}

template <class T, class Convert>
Result<Setting<T>> HfConfig::get(std::string_view key, Convert convert) const {
  const auto found = object_->find(key);
  if (found == object_->end()) return Setting<T>::absent();
  if (found->is_null()) return Setting<T>::null();
  T value{};
  const std::string expected = convert(*found, value);
  if (expected.empty()) return Setting<T>(std::move(value));
  return error(key, fmt::format("expected {}, found {}", expected, shown(*found)));
}

template <class T, class Convert>
Result<Setting<std::vector<T>>> HfConfig::get_list(std::string_view key, Convert convert) const {
  const auto found = object_->find(key);
  if (found == object_->end()) return Setting<std::vector<T>>::absent();
  if (found->is_null()) return Setting<std::vector<T>>::null();
  std::vector<T> items;
  const auto add = [&](const Json& value, const std::string& place) -> Status {
    T item{};
    const std::string expected = convert(value, item);
    if (!expected.empty()) {
      return error(place, fmt::format("expected {}, found {}", expected, shown(value)));
    }
    items.push_back(std::move(item));
    return {};
  };
  if (!found->is_array()) {
    LLM_RETURN_IF_ERROR(add(*found, std::string(key)));
  } else {
    for (const Json& value : *found) {
      LLM_RETURN_IF_ERROR(add(value, fmt::format("{}[{}]", key, items.size())));
    }
  }
  return Setting<std::vector<T>>(std::move(items));
}

Result<Setting<std::int64_t>> HfConfig::get_int(std::string_view key, IntRange range) const {
  return get<std::int64_t>(key, [range](const Json& value, std::int64_t& result) {
    return convert_int(value, range, result);
  });
}

Result<Setting<double>> HfConfig::get_float(std::string_view key) const {
  return get<double>(key, convert_float);
}

Result<Setting<bool>> HfConfig::get_bool(std::string_view key) const {
  return get<bool>(key, [](const Json& value, bool& result) -> std::string {
    if (!value.is_boolean()) return "true or false";
    result = value.get<bool>();
    return {};
  });
}

Result<Setting<std::string>> HfConfig::get_string(std::string_view key) const {
  return get<std::string>(key, convert_string);
}

Result<Setting<std::vector<std::int64_t>>> HfConfig::get_ints(std::string_view key,
                                                              IntRange range) const {
  return get_list<std::int64_t>(key, [range](const Json& value, std::int64_t& result) {
    return convert_int(value, range, result);
  });
}

Result<Setting<std::vector<double>>> HfConfig::get_floats(std::string_view key) const {
  return get_list<double>(key, convert_float);
}

Result<Setting<std::vector<std::string>>> HfConfig::get_strings(std::string_view key) const {
  return get_list<std::string>(key, convert_string);
}

Result<Setting<HfConfig>> HfConfig::get_object(std::string_view key) const {
  const auto found = object_->find(key);
  if (found == object_->end()) return Setting<HfConfig>::absent();
  if (found->is_null()) return Setting<HfConfig>::null();
  if (!found->is_object()) {
    return error(key, fmt::format("expected an object, found {}", shown(*found)));
  }
  return Setting<HfConfig>(HfConfig(*found, file_, fmt::format("{}{}.", path_, key)));
}

template <class T>
Result<T> HfConfig::require(std::string_view key, Result<Setting<T>> setting) const {
  if (!setting) return setting.error();
  if (setting->has_value()) return **setting;
  return error(key, setting->is_null() ? "expected a value, found null" : "the key is missing");
}

Result<std::int64_t> HfConfig::require_int(std::string_view key, IntRange range) const {
  return require(key, get_int(key, range));
}

Result<double> HfConfig::require_float(std::string_view key) const {
  return require(key, get_float(key));
}

Result<std::string> HfConfig::require_string(std::string_view key) const {
  return require(key, get_string(key));
}

}  // namespace llm::formats
