#include "server/field_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"

namespace llm::server {
namespace {

using core::Json;

// Bounds read better with a decimal point, so that a float field is told from an integer one.
std::string number_text(double value) {
  return value == std::floor(value) && std::abs(value) < 1e15 ? fmt::format("{:.1f}", value)
                                                              : fmt::format("{}", value);
}

std::string article(std::string_view type) {
  const bool vowel = !type.empty() && std::string_view("aeiou").find(type[0]) != std::string::npos;
  return fmt::format("{} {}", vowel ? "an" : "a", type);
}

}  // namespace

void append(std::vector<Field>& rows, std::vector<Field> more) {
  rows.insert(rows.end(), std::make_move_iterator(more.begin()),
              std::make_move_iterator(more.end()));
}

std::vector<Field> without_readers(std::vector<Field> rows) {
  for (Field& row : rows) row.read = nullptr;
  return rows;
}

std::string constraint_text(const Range& range) {
  return fmt::format("range({}{}..={})", number_text(range.min), range.min_excluded ? "<" : "",
                     number_text(range.max));
}

std::string constraint_text(const IntRange& range) {
  return range.max == std::numeric_limits<std::int64_t>::max()
             ? fmt::format("range({}..)", range.min)
             : fmt::format("range({}..={})", range.min, range.max);
}

std::string describe(const Json& value) {
  const Json shown = shown_value(value);
  return shown.is_null() ? article(value.type_name()) : to_text(shown);
}

Json shown_value(const Json& value) {
  constexpr std::size_t kLongestShown = 64;
  if (value.is_number() || value.is_boolean()) return value;
  if (value.is_string() && value.get_ref<const std::string&>().size() <= kLongestShown) {
    return value;
  }
  return nullptr;
}

FieldError type_error(const Field& field, const Json& value) {
  return {field.name, fmt::format("type({})", field.type),
          fmt::format("{} must be {} (got {})", field.name, article(field.type),
                      value.is_number() ? describe(value) : article(value.type_name())),
          shown_value(value)};
}

bool check_float(const std::string& field, const Json& value, const Range& range,
                 FieldErrors& errors) {
  const double number = value.get<double>();
  // The engine computes in float: a positive double below every float would arrive there as 0.
  const bool too_small = range.min_excluded
                             ? static_cast<float>(number) <= static_cast<float>(range.min)
                             : number < range.min;
  if (!too_small && number <= range.max) return true;
  const std::string rule =
      too_small ? fmt::format("{} {}", range.min_excluded ? "greater than" : "at least",
                              number_text(range.min))
                : fmt::format("at most {}", number_text(range.max));
  errors.push_back({field, constraint_text(range),
                    fmt::format("{} must be {} (got {})", field, rule, describe(value)), value});
  return false;
}

Field float_field(std::string_view name, float& target, Range range, std::string_view meaning) {
  return {
      std::string(name),
      "float",
      to_text(core::float_json(target)),
      constraint_text(range),
      std::string(meaning),
      [&target, range](const Field& field, const Json& value, FieldErrors& errors) {
        if (!value.is_number()) {
          errors.push_back(type_error(field, value));
        } else if (check_float(field.name, value, range, errors)) {
          target = value.get<float>();
        }
      },
      {{range.min_excluded ? "exclusiveMinimum" : "minimum", range.min}, {"maximum", range.max}}};
}

Field int_field(std::string_view name, std::string_view default_value, IntRange range,
                std::string_view meaning, std::function<void(std::int64_t)> keep) {
  Json bounds = {{"minimum", range.min}};
  if (range.max != std::numeric_limits<std::int64_t>::max()) bounds["maximum"] = range.max;
  return {
      std::string(name),
      "integer",
      std::string(default_value),
      constraint_text(range),
      std::string(meaning),
      [range, keep = std::move(keep)](const Field& field, const Json& value, FieldErrors& errors) {
        if (!value.is_number_integer()) {
          errors.push_back(type_error(field, value));
          return;
        }
        const bool beyond = value.is_number_unsigned() &&
                            value.get<std::uint64_t>() > static_cast<std::uint64_t>(range.max);
        const bool below = !beyond && value.get<std::int64_t>() < range.min;
        if (!beyond && !below && value.get<std::int64_t>() <= range.max) {
          keep(value.get<std::int64_t>());
          return;
        }
        errors.push_back(
            {field.name, field.constraint,
             fmt::format("{} must be at {} {} (got {})", field.name, below ? "least" : "most",
                         below ? range.min : range.max, describe(value)),
             value});
      },
      std::move(bounds)};
}

Field bool_field(std::string_view name, std::string_view default_value, std::string_view meaning,
                 std::function<void(bool)> keep) {
  return {std::string(name),
          "boolean",
          std::string(default_value),
          "",
          std::string(meaning),
          [keep = std::move(keep)](const Field& field, const Json& value, FieldErrors& errors) {
            if (value.is_boolean()) {
              keep(value.get<bool>());
            } else {
              errors.push_back(type_error(field, value));
            }
          }};
}

Field text_field(std::string_view name, std::string_view default_value, std::string_view meaning,
                 std::function<void(const std::string&)> keep) {
  return {std::string(name),
          "string",
          std::string(default_value),
          "",
          std::string(meaning),
          [keep = std::move(keep)](const Field& field, const Json& value, FieldErrors& errors) {
            if (value.is_string()) {
              keep(value.get_ref<const std::string&>());
            } else {
              errors.push_back(type_error(field, value));
            }
          }};
}

bool report_unknown(std::string_view name, bool strict, FieldErrors& errors,
                    std::vector<std::string>& ignored) {
  constexpr std::size_t kLongestName = 64;
  if (ignored.size() == kMaxIgnoredFields) {
    errors.push_back({"body", fmt::format("unknown_fields({})", kMaxIgnoredFields),
                      fmt::format("the body has more than {} unknown fields", kMaxIgnoredFields),
                      nullptr});
    return false;
  }
  std::string shown(name.substr(0, kLongestName));
  if (name.size() > kLongestName) shown += "...";
  if (strict) {
    errors.push_back(
        {shown, "known_field", fmt::format("{} is not a known field", shown), nullptr});
  }
  ignored.push_back(std::move(shown));
  return true;
}

void read_fields(const Json& object, std::span<const Field> fields, bool strict,
                 FieldErrors& errors, std::vector<std::string>& ignored) {
  for (const auto& item : object.items()) {
    const Json& value = item.value();
    const auto field = std::find_if(fields.begin(), fields.end(),
                                    [&](const Field& row) { return row.name == item.key(); });
    if (field == fields.end()) {
      if (!report_unknown(item.key(), strict, errors, ignored)) return;
    } else if (!value.is_null()) {
      field->read(*field, value, errors);
    }
  }
}

Result<Json> parse_body(std::string_view body) {
  Result<Json> parsed = core::parse_json(body, "request body");
  if (!parsed) {
    // The parser quotes the text it stopped at, which may be a part of the prompt.
    std::string message = parsed.error().message();
    message.erase(std::min(message.size(), message.find("; last read")));
    return core::invalid_argument("{}", message);
  }
  if (!parsed->is_object()) {
    return core::invalid_argument("request body: must be a JSON object (got {})",
                                  article(parsed->type_name()));
  }
  return parsed;
}

std::string markdown_table(std::span<const Field> fields) {
  std::string out = "| field | type | default | constraint | meaning |\n|---|---|---|---|---|\n";
  for (const Field& field : fields) {
    const std::string constraint =
        field.constraint.empty() ? "" : fmt::format("`{}`", field.constraint);
    out += fmt::format("| `{}` | {} | {} | {} | {} |\n", field.name, field.type,
                       field.default_value, constraint, field.meaning);
  }
  return out;
}

}  // namespace llm::server
