// The methods of str.
#include <algorithm>
#include <array>
#include <limits>

#include "chat/arguments.h"
#include "chat/format_spec.h"
#include "chat/functions.h"
#include "chat/iterate.h"
#include "chat/split_text.h"
#include "chat/unicode.h"
#include "core/error.h"

namespace llm::chat {
namespace {

Result<Value> no_arguments(Runtime& runtime, const Arguments& arguments, std::string_view name,
                           std::string result) {
  LLM_RETURN_IF_ERROR(bind(name, arguments, {}, 0).status());
  return runtime.text(std::move(result));
}

template <std::string (*kMap)(std::string_view)>
Result<Value> mapped(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return no_arguments(runtime, arguments, "str method", kMap(self.bytes()));
}

// Whether every character passes and there is one.
template <bool (*kTest)(char32_t)>
Result<Value> all_are(Runtime&, const Value& self, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("str method", arguments, {}, 0).status());
  const auto points = code_points(self.bytes());
  return Value::boolean(!points.empty() && std::all_of(points.begin(), points.end(), kTest));
}

Result<Value> is_ascii_method(Runtime&, const Value& self, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("isascii", arguments, {}, 0).status());
  return Value::boolean(self.as_text().is_ascii());
}

Result<Value> is_printable_method(Runtime&, const Value& self, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("isprintable", arguments, {}, 0).status());
  const auto points = code_points(self.bytes());
  return Value::boolean(std::all_of(points.begin(), points.end(), is_printable));
}

Result<Value> is_identifier_method(Runtime&, const Value& self, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("isidentifier", arguments, {}, 0).status());
  const auto points = code_points(self.bytes());
  return Value::boolean(!points.empty() && may_start_identifier(points[0]) &&
                        std::all_of(points.begin(), points.end(), may_continue_identifier));
}

// Every cased character is of the wanted case and there is one.
Result<Value> case_test(const Value& self, const Arguments& arguments, bool (*wanted)(char32_t),
                        bool (*other)(char32_t)) {
  LLM_RETURN_IF_ERROR(bind("str method", arguments, {}, 0).status());
  bool found = false;
  for (const char32_t c : code_points(self.bytes())) {
    if (other(c) || is_titlecase(c)) return Value::boolean(false);
    found = found || wanted(c);
  }
  return Value::boolean(found);
}

Result<Value> is_lower_method(Runtime&, const Value& self, const Arguments& arguments) {
  return case_test(self, arguments, is_lowercase, is_uppercase);
}

Result<Value> is_upper_method(Runtime&, const Value& self, const Arguments& arguments) {
  return case_test(self, arguments, is_uppercase, is_lowercase);
}

Result<Value> is_title_method(Runtime&, const Value& self, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("istitle", arguments, {}, 0).status());
  bool inside = false;
  bool found = false;
  for (const char32_t c : code_points(self.bytes())) {
    const bool upper = is_uppercase(c) || is_titlecase(c);
    const bool lower = is_lowercase(c);
    if ((upper && inside) || (lower && !inside)) return Value::boolean(false);
    inside = upper || lower;
    found = found || inside;
  }
  return Value::boolean(found);
}

Result<Value> strip_ends(Runtime& runtime, const Value& self, const Arguments& arguments, bool left,
                         bool right) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("strip", arguments, {"chars"}, 0, false));
  return strip_text(runtime, self, given[0], left, right);
}

Result<Value> strip_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return strip_ends(runtime, self, arguments, true, true);
}
Result<Value> lstrip_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return strip_ends(runtime, self, arguments, true, false);
}
Result<Value> rstrip_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return strip_ends(runtime, self, arguments, false, true);
}

Result<Value> split_with(Runtime& runtime, const Value& self, const Arguments& arguments,
                         bool from_right) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("split", arguments, {"sep", "maxsplit"}, 0));
  LLM_ASSIGN_OR_RETURN(const std::int64_t most, integer_or(given[1], -1, "split"));
  if (given[0].is_missing() || given[0].is_none()) {
    return runtime.list(split_space(runtime, self.bytes(), most, from_right));
  }
  LLM_ASSIGN_OR_RETURN(const std::string separator, text_or(given[0], "", "split"));
  if (separator.empty()) return core::invalid_argument("empty separator");
  return runtime.list(split_at(runtime, self.bytes(), separator, most, from_right));
}

Result<Value> split_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return split_with(runtime, self, arguments, false);
}
Result<Value> rsplit_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return split_with(runtime, self, arguments, true);
}

Result<Value> splitlines_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("splitlines", arguments, {"keepends"}, 0));
  LLM_ASSIGN_OR_RETURN(const bool keep, truth_or(given[0], false));
  std::vector<Value> lines;
  for (const std::string_view line : split_lines(self.bytes(), keep)) {
    lines.push_back(runtime.text(std::string(line)));
  }
  return runtime.list(std::move(lines));
}

Result<Value> partition_with(Runtime& runtime, const Value& self, const Arguments& arguments,
                             bool from_right) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("partition", arguments, {"sep"}, 1, false));
  LLM_ASSIGN_OR_RETURN(const std::string separator, text_or(given[0], "", "partition"));
  if (separator.empty()) return core::invalid_argument("empty separator");
  const std::string& text = self.bytes();
  const std::size_t at = from_right ? text.rfind(separator) : text.find(separator);
  if (at == std::string::npos) {
    const Value empty = Value::text("");
    return from_right ? runtime.tuple({empty, empty, self}) : runtime.tuple({self, empty, empty});
  }
  return runtime.tuple({runtime.text(text.substr(0, at)), given[0],
                        runtime.text(text.substr(at + separator.size()))});
}

Result<Value> partition_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return partition_with(runtime, self, arguments, false);
}
Result<Value> rpartition_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return partition_with(runtime, self, arguments, true);
}

// The part of a text that [start:end] means; nothing when start lies behind the end.
struct Window {
  std::size_t begin = 0;  // bytes
  std::size_t end = 0;
  std::int64_t start = 0;  // code points
  bool exists = true;
};

Result<Window> window_of(const Text& text, const Value& start, const Value& end) {
  constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();
  const auto bound = [&](const Value& value, std::int64_t otherwise) -> Result<std::int64_t> {
    if (value.is_none()) return otherwise;
    LLM_ASSIGN_OR_RETURN(std::int64_t index, integer_or(value, otherwise, "slice"));
    if (index < 0) index = std::max<std::int64_t>(index + text.length, 0);
    return index;
  };
  Window window;
  LLM_ASSIGN_OR_RETURN(window.start, bound(start, 0));
  LLM_ASSIGN_OR_RETURN(std::int64_t stop, bound(end, kEnd));
  stop = std::min(stop, text.length);
  window.exists = window.start <= stop;
  if (!window.exists) return window;
  window.begin = byte_offset(text.bytes, static_cast<std::size_t>(window.start));
  window.end = byte_offset(text.bytes, static_cast<std::size_t>(stop));
  return window;
}

// Position of `part` in code points, or -1.
Result<std::int64_t> find_part(Runtime& runtime, const Value& self, const Arguments& arguments,
                               std::string_view name, bool from_right) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind(name, arguments, {"sub", "start", "end"}, 1, false));
  LLM_ASSIGN_OR_RETURN(const std::string part, text_or(given[0], "", name));
  LLM_ASSIGN_OR_RETURN(const Window window, window_of(self.as_text(), given[1], given[2]));
  if (!window.exists) return std::int64_t{-1};
  runtime.budget.spend_bytes(self.bytes().size());
  const std::string_view text =
      std::string_view(self.bytes()).substr(window.begin, window.end - window.begin);
  const std::size_t at = from_right ? text.rfind(part) : text.find(part);
  if (at == std::string_view::npos) return std::int64_t{-1};
  return window.start + static_cast<std::int64_t>(code_points(text.substr(0, at)).size());
}

Result<Value> find_method_of_text(Runtime& runtime, const Value& self, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const std::int64_t at, find_part(runtime, self, arguments, "find", false));
  return Value::integer(at);
}
Result<Value> rfind_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const std::int64_t at, find_part(runtime, self, arguments, "rfind", true));
  return Value::integer(at);
}
Result<Value> index_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const std::int64_t at, find_part(runtime, self, arguments, "index", false));
  if (at < 0) return core::invalid_argument("substring not found");
  return Value::integer(at);
}
Result<Value> rindex_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const std::int64_t at, find_part(runtime, self, arguments, "rindex", true));
  if (at < 0) return core::invalid_argument("substring not found");
  return Value::integer(at);
}

Result<Value> count_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given,
                       bind("count", arguments, {"sub", "start", "end"}, 1, false));
  LLM_ASSIGN_OR_RETURN(const std::string part, text_or(given[0], "", "count"));
  LLM_ASSIGN_OR_RETURN(const Window window, window_of(self.as_text(), given[1], given[2]));
  if (!window.exists) return Value::integer(0);
  runtime.budget.spend_bytes(self.bytes().size());
  const std::string_view text =
      std::string_view(self.bytes()).substr(window.begin, window.end - window.begin);
  if (part.empty()) {
    return Value::integer(static_cast<std::int64_t>(code_points(text).size()) + 1);
  }
  std::int64_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; ++count) {
    at += part.size();
  }
  return Value::integer(count);
}

// startswith and endswith take one text or a tuple of them.
Result<Value> has_end(const Value& self, const Arguments& arguments, std::string_view name,
                      bool at_start) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind(name, arguments, {"part", "start", "end"}, 1, false));
  LLM_ASSIGN_OR_RETURN(const Window window, window_of(self.as_text(), given[1], given[2]));
  const std::string_view text =
      window.exists ? std::string_view(self.bytes()).substr(window.begin, window.end - window.begin)
                    : std::string_view();
  const std::vector<Value> parts =
      given[0].is(Value::Kind::tuple) ? given[0].items() : std::vector<Value>{given[0]};
  for (const Value& part : parts) {
    if (!part.is_text()) {
      return core::invalid_argument("{} first arg must be str or a tuple of str, not {}", name,
                                    part.type_name());
    }
    if (!window.exists) continue;
    if (at_start ? text.starts_with(part.bytes()) : text.ends_with(part.bytes())) {
      return Value::boolean(true);
    }
  }
  return Value::boolean(false);
}

Result<Value> startswith_method(Runtime&, const Value& self, const Arguments& arguments) {
  return has_end(self, arguments, "startswith", true);
}
Result<Value> endswith_method(Runtime&, const Value& self, const Arguments& arguments) {
  return has_end(self, arguments, "endswith", false);
}

Result<Value> remove_end(Runtime& runtime, const Value& self, const Arguments& arguments,
                         bool at_start) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("removeprefix", arguments, {"part"}, 1, false));
  LLM_ASSIGN_OR_RETURN(const std::string part, text_or(given[0], "", "removeprefix"));
  std::string_view text = self.bytes();
  if (at_start && text.starts_with(part)) text.remove_prefix(part.size());
  if (!at_start && text.ends_with(part)) text.remove_suffix(part.size());
  return runtime.text(std::string(text));
}

Result<Value> removeprefix_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return remove_end(runtime, self, arguments, true);
}
Result<Value> removesuffix_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return remove_end(runtime, self, arguments, false);
}

Result<Value> replace_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given,
                       bind("replace", arguments, {"old", "new", "count"}, 2, false));
  LLM_ASSIGN_OR_RETURN(const std::string old, text_or(given[0], "", "replace"));
  LLM_ASSIGN_OR_RETURN(const std::string with, text_or(given[1], "", "replace"));
  LLM_ASSIGN_OR_RETURN(const std::int64_t most, integer_or(given[2], -1, "replace"));
  return replace_text(runtime, self.bytes(), old, with, most);
}

Result<Value> join_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("join", arguments, {"iterable"}, 1, false));
  LLM_ASSIGN_OR_RETURN(const std::vector<Value> items, to_items(runtime, given[0]));
  std::string out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!items[i].is_text()) {
      return core::invalid_argument("sequence item {}: expected str instance, {} found", i,
                                    items[i].type_name());
    }
    if (i > 0) out += self.bytes();
    out += items[i].bytes();
    if (!runtime.budget.admits(out.size())) return runtime.budget.status();
  }
  return runtime.text(std::move(out));
}

Result<Value> justify(Runtime& runtime, const Value& self, const Arguments& arguments,
                      std::string_view name, char side) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind(name, arguments, {"width", "fillchar"}, 1, false));
  LLM_ASSIGN_OR_RETURN(const std::int64_t width, integer_or(given[0], 0, name));
  LLM_ASSIGN_OR_RETURN(const std::string fill, text_or(given[1], " ", name));
  if (code_points(fill).size() != 1) {
    return core::invalid_argument("The fill character must be exactly one character long");
  }
  return pad_text(runtime, self, width, fill, side);
}

Result<Value> ljust_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return justify(runtime, self, arguments, "ljust", '<');
}
Result<Value> rjust_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return justify(runtime, self, arguments, "rjust", '>');
}
Result<Value> center_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return justify(runtime, self, arguments, "center", '^');
}

Result<Value> zfill_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("zfill", arguments, {"width"}, 1, false));
  LLM_ASSIGN_OR_RETURN(const std::int64_t width, integer_or(given[0], 0, "zfill"));
  LLM_ASSIGN_OR_RETURN(const Value padded, pad_text(runtime, self, width, "0", '>'));
  std::string text = padded.bytes();
  const std::size_t zeros = text.size() - self.bytes().size();
  if (zeros > 0 && !self.bytes().empty() && (text[zeros] == '-' || text[zeros] == '+')) {
    std::swap(text[0], text[zeros]);
  }
  return runtime.text(std::move(text));
}

Result<Value> expandtabs_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("expandtabs", arguments, {"tabsize"}, 0));
  LLM_ASSIGN_OR_RETURN(const std::int64_t size, integer_or(given[0], 8, "expandtabs"));
  std::string out;
  std::int64_t column = 0;
  for (const char c : self.bytes()) {
    if (c == '\t') {
      const std::int64_t spaces = size > 0 ? size - column % size : 0;
      if (!runtime.budget.admits(out.size() + static_cast<std::size_t>(spaces))) {
        return runtime.budget.status();
      }
      out.append(static_cast<std::size_t>(spaces), ' ');
      column += spaces;
      continue;
    }
    out += c;
    const bool starts_character = (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    column = c == '\n' || c == '\r' ? 0 : column + (starts_character ? 1 : 0);
  }
  return runtime.text(std::move(out));
}

Result<Value> format_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(std::string text, format_text(runtime, self.bytes(), arguments));
  return runtime.text(std::move(text));
}

Result<Value> format_map_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("format_map", arguments, {"mapping"}, 1, false));
  Arguments named;
  if (!given[0].is_mapping()) return core::invalid_argument("format_map() wants a dict");
  for (const auto& [key, value] : given[0].as_mapping().entries()) {
    if (key.is_text()) named.named.emplace_back(key.bytes(), value);
  }
  return format_method(runtime, self, named);
}

// Methods that make or take something templates have no use for.
Result<Value> unsupported_method(Runtime&, const Value&, const Arguments&) {
  return core::unsupported("str.encode, maketrans and translate are not supported");
}

constexpr std::array kTextMethods = {
    Method{"capitalize", mapped<capitalize>},
    Method{"casefold", mapped<fold_case>},
    Method{"center", center_method},
    Method{"count", count_method},
    Method{"encode", unsupported_method},
    Method{"endswith", endswith_method},
    Method{"expandtabs", expandtabs_method},
    Method{"find", find_method_of_text},
    Method{"format", format_method},
    Method{"format_map", format_map_method},
    Method{"index", index_method},
    Method{"isalnum", all_are<is_alphanumeric>},
    Method{"isalpha", all_are<is_alphabetic>},
    Method{"isascii", is_ascii_method},
    Method{"isdecimal", all_are<is_decimal>},
    Method{"isdigit", all_are<is_digit>},
    Method{"isidentifier", is_identifier_method},
    Method{"islower", is_lower_method},
    Method{"isnumeric", all_are<is_numeric>},
    Method{"isprintable", is_printable_method},
    Method{"isspace", all_are<is_space>},
    Method{"istitle", is_title_method},
    Method{"isupper", is_upper_method},
    Method{"join", join_method},
    Method{"ljust", ljust_method},
    Method{"lower", mapped<to_lower>},
    Method{"lstrip", lstrip_method},
    Method{"maketrans", unsupported_method},
    Method{"partition", partition_method},
    Method{"removeprefix", removeprefix_method},
    Method{"removesuffix", removesuffix_method},
    Method{"replace", replace_method},
    Method{"rfind", rfind_method},
    Method{"rindex", rindex_method},
    Method{"rjust", rjust_method},
    Method{"rpartition", rpartition_method},
    Method{"rsplit", rsplit_method},
    Method{"rstrip", rstrip_method},
    Method{"split", split_method},
    Method{"splitlines", splitlines_method},
    Method{"startswith", startswith_method},
    Method{"strip", strip_method},
    Method{"swapcase", mapped<swap_case>},
    Method{"title", mapped<to_title>},
    Method{"translate", unsupported_method},
    Method{"upper", mapped<to_upper>},
    Method{"zfill", zfill_method},
};

}  // namespace

const Method* find_text_method(std::string_view name) {
  const auto* const found = std::find_if(kTextMethods.begin(), kTextMethods.end(),
                                         [&](const Method& m) { return m.name == name; });
  return found == kTextMethods.end() ? nullptr : found;
}

}  // namespace llm::chat
