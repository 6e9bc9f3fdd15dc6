// Field: one row of a request body's schema. The rows parse and check the body, make the error
// texts, and are the table printed in docs/api.md, so that none of the three can differ. Rows are
// built per request with readers bound to the object they fill. Not shared between threads.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "server/api_error.h"

namespace llm::server {

struct Field {
  std::string name;
  std::string type;           ///< e.g. "float"
  std::string default_value;  ///< as documented
  std::string constraint;     ///< e.g. "range(0.0..=2.0)"; empty: none beyond the type
  std::string meaning;
  /// Checks a value that is present and not null, and keeps it or reports why not.
  std::function<void(const Field&, const core::Json&, FieldErrors&)> read;
  core::Json bounds = nullptr;  ///< of a number, as JSON Schema says them
};

/// More rows at the end.
void append(std::vector<Field>& rows, std::vector<Field> more);

/// The rows as documentation alone: what they were bound to may go.
std::vector<Field> without_readers(std::vector<Field> rows);

/// Bounds of a number, both included unless said otherwise.
struct Range {
  double min;
  double max;
  bool min_excluded = false;
};

/// "range(0.0..=2.0)", "range(0.0<..=2.0)".
std::string constraint_text(const Range& range);

Field float_field(std::string_view name, float& target, Range range, std::string_view meaning);

/// Inclusive bounds; `max` INT64_MAX is written as open.
struct IntRange {
  std::int64_t min;
  std::int64_t max;
};
std::string constraint_text(const IntRange& range);

Field int_field(std::string_view name, std::string_view default_value, IntRange range,
                std::string_view meaning, std::function<void(std::int64_t)> keep);
Field bool_field(std::string_view name, std::string_view default_value, std::string_view meaning,
                 std::function<void(bool)> keep);
/// A string of any content.
Field text_field(std::string_view name, std::string_view default_value, std::string_view meaning,
                 std::function<void(const std::string&)> keep);

/// Checks one number the way float_field does; used where a number sits inside another value.
/// False when it was reported.
bool check_float(const std::string& field, const core::Json& value, const Range& range,
                 FieldErrors& errors);

/// Unknown names are collected up to this many; a body with more is refused.
inline constexpr std::size_t kMaxIgnoredFields = 64;

/// Reads every member of `object`: null means absent, unknown names go to `ignored` (to `errors`
/// when `strict`).
void read_fields(const core::Json& object, std::span<const Field> fields, bool strict,
                 FieldErrors& errors, std::vector<std::string>& ignored);

/// Lists an unknown member in `ignored` (in `errors` when `strict`); false when there are too many.
bool report_unknown(std::string_view name, bool strict, FieldErrors& errors,
                    std::vector<std::string>& ignored);

/// Parses a request body that must be one JSON object. The error's message never quotes the body.
Result<core::Json> parse_body(std::string_view body);

FieldError type_error(const Field& field, const core::Json& value);
/// The value as error messages show it: numbers, booleans and short strings; otherwise its kind.
std::string describe(const core::Json& value);
/// The value when it is small enough to be sent back, else null.
core::Json shown_value(const core::Json& value);

/// The rows as a Markdown table.
std::string markdown_table(std::span<const Field> fields);

}  // namespace llm::server
