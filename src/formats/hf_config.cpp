#include "formats/hf_config.h"

#include "core/error.h"
#include "core/quote.h"

namespace llm::formats {

const core::Json* HfConfig::find(std::string_view key) const {
  const auto found = json_->find(key);
  return found == json_->end() || found->is_null() ? nullptr : &*found;
}

Status HfConfig::wrong_type(std::string_view key, std::string_view expected,
                            const core::Json& found) const {
  return core::corrupt_data("{}: {}: expected {}, found {}", where_, key, expected,
                            core::printable(found.dump(-1, ' ', true)));
}

Status HfConfig::missing(std::string_view key, std::string_view expected) const {
  return core::corrupt_data("{}: {}: expected {}, the key is missing", where_, key, expected);
}

bool HfConfig::has_value(std::string_view key) const { return find(key) != nullptr; }

bool HfConfig::is_null(std::string_view key) const {
  const auto found = json_->find(key);
  return found != json_->end() && found->is_null();
}

Result<std::int64_t> HfConfig::get_int(std::string_view key, std::int64_t fallback) const {
  const core::Json* value = find(key);
  if (value == nullptr) return fallback;
  const bool too_large = value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX;
  if (!value->is_number_integer() || too_large) return wrong_type(key, "an integer", *value);
  return value->get<std::int64_t>();
}

Result<double> HfConfig::get_float(std::string_view key, double fallback) const {
  const core::Json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_number()) return wrong_type(key, "a number", *value);
  return value->get<double>();
}

Result<bool> HfConfig::get_bool(std::string_view key, bool fallback) const {
  const core::Json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) return wrong_type(key, "true or false", *value);
  return value->get<bool>();
}

Result<std::string> HfConfig::get_string(std::string_view key, std::string fallback) const {
  const core::Json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_string()) return wrong_type(key, "a string", *value);
  return value->get<std::string>();
}

Result<HfConfig> HfConfig::get_object(std::string_view key) const {
  static const core::Json kEmpty = core::Json::object();
  const core::Json* value = find(key);
  const std::string where = where_ + ": " + std::string(key);
  if (value == nullptr) return HfConfig(kEmpty, where);
  if (!value->is_object()) return wrong_type(key, "an object", *value);
  return HfConfig(*value, where);
}

Result<std::int64_t> HfConfig::require_int(std::string_view key) const {
  if (!has_value(key)) return missing(key, "an integer");
  return get_int(key, 0);
}

Result<double> HfConfig::require_float(std::string_view key) const {
  if (!has_value(key)) return missing(key, "a number");
  return get_float(key, 0);
}

Result<std::vector<float>> HfConfig::require_floats(std::string_view key, std::size_t size) const {
  const std::string expected = fmt::format("{} numbers", size);
  const core::Json* value = find(key);
  if (value == nullptr) return missing(key, expected);
  if (!value->is_array() || value->size() != size) return wrong_type(key, expected, *value);
  std::vector<float> numbers;
  for (const core::Json& number : *value) {
    if (!number.is_number()) return wrong_type(key, expected, *value);
    numbers.push_back(number.get<float>());
  }
  return numbers;
}

}  // namespace llm::formats
