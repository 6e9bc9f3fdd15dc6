#include "chat/attributes.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "chat/functions.h"
#include "chat/iterate.h"
#include "chat/operators.h"
#include "chat/python_text.h"
#include "chat/unicode.h"
#include "core/error.h"
#include "core/quote.h"

namespace llm::chat {
namespace {

Value unsafe(const Value& object, std::string_view name) {
  return Value::undefined(fmt::format("access to attribute '{}' of '{}' object is unsafe",
                                      core::printable(name, 60), object.type_name()));
}

Value absent_attribute(const Value& object, std::string_view name) {
  return Value::undefined(
      object.is_none() ? fmt::format("'None' has no attribute '{}'", core::printable(name, 60))
                       : fmt::format("'{} object' has no attribute '{}'", object.type_name(),
                                     core::printable(name, 60)));
}

// What all Python objects have, and the sandbox hides.
bool is_internal(std::string_view name) {
  return name.starts_with("__") && name.ends_with("__") && name.size() > 4;
}

// Python's getattr(), with what the sandbox says to it.
Result<Value> python_attribute(Runtime& runtime, const Value& object, std::string_view name) {
  if (is_internal(name)) return unsafe(object, name);
  if (object.is(Value::Kind::object)) return object.as_object().attribute(runtime, name);
  if (const Method* method = find_method(object, name)) {
    if (method->call == nullptr) return unsafe(object, name);
    return runtime.object<BoundMethod>(object, *method);
  }
  if (object.is(Value::Kind::tuple) && object.as_sequence().is_group) {
    if (name == "grouper") return object.items()[0];
    if (name == "list") return object.items()[1];
  }
  return Value();
}

// A position counted from the end when negative; nothing when outside.
std::optional<std::size_t> position(std::int64_t index, std::int64_t size) {
  if (index < 0) index += size;
  if (index < 0 || index >= size) return std::nullopt;
  return static_cast<std::size_t>(index);
}

// Python's object[index]; missing for a LookupError or a TypeError.
Value python_item(Runtime& runtime, const Value& object, const Value& index) {
  switch (object.kind()) {
    case Value::Kind::mapping: {
      if (!is_hashable(index)) return Value();
      const Value* found = object.as_mapping().find(index, &runtime.budget);
      return found == nullptr ? Value() : *found;
    }
    case Value::Kind::list:
    case Value::Kind::tuple: {
      if (!index.is_integral()) return Value();
      const auto at =
          position(index.as_integer(), static_cast<std::int64_t>(object.items().size()));
      return at ? object.items()[*at] : Value();
    }
    case Value::Kind::text: {
      if (!index.is_integral()) return Value();
      const auto at = position(index.as_integer(), object.as_text().length);
      if (!at) return Value();
      const std::string& bytes = object.bytes();
      if (object.as_text().is_ascii()) return runtime.text(std::string(1, bytes[*at]));
      runtime.budget.spend_bytes(bytes.size());
      const std::size_t begin = byte_offset(bytes, *at);
      const std::size_t length = byte_offset(std::string_view(bytes).substr(begin), 1);
      return runtime.text(bytes.substr(begin, length));
    }
    case Value::Kind::object:
      if (const auto* range = object.as<Range>(); range != nullptr && index.is_integral()) {
        const auto at = position(index.as_integer(), range->size());
        return at ? Value::integer(range->at(static_cast<std::int64_t>(*at))) : Value();
      }
      return Value();
    default:
      return Value();
  }
}

struct SliceBounds {
  std::int64_t start;
  std::int64_t step;
  std::int64_t count;
};

Result<std::int64_t> slice_index(const Value& value, std::int64_t otherwise) {
  if (value.is_missing() || value.is_none()) return otherwise;
  if (value.is_integral()) return value.as_integer();
  return core::invalid_argument(
      "slice indices must be integers or None or have an __index__ method (got {})",
      value.type_name());
}

// Python's slice.indices().
Result<SliceBounds> slice_bounds(std::int64_t size, const Value& start, const Value& stop,
                                 const Value& step) {
  LLM_ASSIGN_OR_RETURN(const std::int64_t stride, slice_index(step, 1));
  if (stride == 0) return core::invalid_argument("slice step cannot be zero");
  const std::int64_t lowest = stride < 0 ? -1 : 0;
  const std::int64_t highest = stride < 0 ? size - 1 : size;
  const auto clip = [&](std::int64_t index) {
    if (index < 0) index = index < -size ? lowest : std::max(index + size, lowest);
    return std::min(index, highest);
  };
  SliceBounds bounds{.start = 0, .step = stride, .count = 0};
  LLM_ASSIGN_OR_RETURN(bounds.start, slice_index(start, stride < 0 ? highest : lowest));
  if (!start.is_missing() && !start.is_none()) bounds.start = clip(bounds.start);
  LLM_ASSIGN_OR_RETURN(std::int64_t end, slice_index(stop, stride < 0 ? lowest : highest));
  if (!stop.is_missing() && !stop.is_none()) end = clip(end);
  if (stride > 0 && bounds.start < end) bounds.count = (end - bounds.start - 1) / stride + 1;
  if (stride < 0 && bounds.start > end) {
    // Careful with the smallest integer, whose negation is none.
    bounds.count = stride < -size ? 1 : (bounds.start - end - 1) / -stride + 1;
  }
  return bounds;
}

Value slice_text(Runtime& runtime, const Text& text, const SliceBounds& bounds) {
  const auto first = static_cast<std::size_t>(bounds.start);
  const auto count = static_cast<std::size_t>(bounds.count);
  if (count == 0) return runtime.text("");
  if (bounds.step == 1) {
    if (text.is_ascii()) return runtime.text(text.bytes.substr(first, count));
    const std::size_t begin = byte_offset(text.bytes, first);
    const std::size_t length = byte_offset(std::string_view(text.bytes).substr(begin), count);
    return runtime.text(text.bytes.substr(begin, length));
  }
  const std::vector<char32_t> points = code_points(text.bytes);
  std::vector<char32_t> chosen;
  for (std::int64_t i = 0; i < bounds.count; ++i) {
    chosen.push_back(points[static_cast<std::size_t>(bounds.start + i * bounds.step)]);
  }
  return runtime.text(from_code_points(chosen));
}

}  // namespace

Result<Value> get_attribute_only(Runtime& runtime, const Value& object, std::string_view name) {
  if (object.is_undefined()) return undefined_error(object);
  LLM_ASSIGN_OR_RETURN(Value attribute, python_attribute(runtime, object, name));
  return attribute.is_missing() ? absent_attribute(object, name) : std::move(attribute);
}

Result<Value> get_attribute(Runtime& runtime, const Value& object, std::string_view name) {
  if (object.is_mapping() && find_method(object, name) == nullptr && !is_internal(name)) {
    if (const Value* item = object.as_mapping().find(name)) return *item;
  }
  return get_attribute_only(runtime, object, name);
}

Result<Value> get_item(Runtime& runtime, const Value& object, const Value& index) {
  if (object.is_undefined()) return undefined_error(object);
  Value item = python_item(runtime, object, index);
  if (!item.is_missing()) return item;
  if (index.is_text()) {
    return get_attribute_only(runtime, object, index.bytes());
  }
  LLM_ASSIGN_OR_RETURN(const std::string shown, repr(runtime, index));
  return Value::undefined(
      fmt::format("{} object has no element {}", object.type_name(), core::printable(shown, 60)));
}

Result<Value> get_slice(Runtime& runtime, const Value& object, const Value& start,
                        const Value& stop, const Value& step) {
  if (object.is_undefined()) return undefined_error(object);
  const auto* range = object.as<Range>();
  if (!object.is_text() && !object.is_sequence() && range == nullptr) {
    return core::invalid_argument("'{}' object cannot be sliced", object.type_name());
  }
  LLM_ASSIGN_OR_RETURN(const std::int64_t size, length(object));
  LLM_ASSIGN_OR_RETURN(const SliceBounds bounds, slice_bounds(size, start, stop, step));
  if (range != nullptr) {
    std::int64_t stride = 0;
    if (__builtin_mul_overflow(range->step(), bounds.step, &stride)) {
      return core::invalid_argument("the step of a range has more than 64 bits");
    }
    const std::int64_t first = range->at(bounds.start);
    if (bounds.count == 0) return runtime.object<Range>(first, first, stride);
    const std::int64_t last = range->at(bounds.start + (bounds.count - 1) * bounds.step);
    return runtime.object<Range>(first, last + (stride > 0 ? 1 : -1), stride);
  }
  if (object.is_text()) {
    runtime.budget.spend_bytes(object.bytes().size());
    return slice_text(runtime, object.as_text(), bounds);
  }
  std::vector<Value> items;
  items.reserve(static_cast<std::size_t>(bounds.count));
  for (std::int64_t i = 0; i < bounds.count; ++i) {
    items.push_back(object.items()[static_cast<std::size_t>(bounds.start + i * bounds.step)]);
  }
  return object.is(Value::Kind::list) ? runtime.list(std::move(items))
                                      : runtime.tuple(std::move(items));
}

Result<Value> follow_path(Runtime& runtime, const Value& object, const Value& path,
                          const Value& otherwise) {
  if (path.is_missing() || path.is_none()) return object;
  const bool replaces = !otherwise.is_missing() && !otherwise.is_none();
  const auto step = [&](const Value& from, const Value& index) -> Result<Value> {
    LLM_ASSIGN_OR_RETURN(Value item, get_item(runtime, from, index));
    return replaces && item.is_undefined() ? otherwise : std::move(item);
  };
  if (!path.is_text()) return step(object, path);
  Value at = object;
  std::string_view rest = path.bytes();
  for (;;) {
    const std::size_t dot = rest.find('.');
    const std::string_view part = rest.substr(0, dot);
    std::int64_t number = 0;
    const bool digits =
        !part.empty() && part.find_first_not_of("0123456789") == part.npos &&
        std::from_chars(part.data(), part.data() + part.size(), number).ec == std::errc();
    const Value index = digits ? Value::integer(number) : Value::text(std::string(part));
    LLM_ASSIGN_OR_RETURN(at, step(at, index));
    if (dot == std::string_view::npos) return at;
    rest.remove_prefix(dot + 1);
  }
}

}  // namespace llm::chat
