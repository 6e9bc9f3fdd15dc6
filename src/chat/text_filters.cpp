// Filters that work on text. What is not text is turned into it first, where Jinja does so.
#include <algorithm>
#include <array>

#include "chat/arguments.h"
#include "chat/filters.h"
#include "chat/html.h"
#include "chat/iterate.h"
#include "chat/operators.h"
#include "chat/percent_format.h"
#include "chat/python_text.h"
#include "chat/split_text.h"
#include "chat/unicode.h"
#include "core/error.h"
#include "core/utf8.h"

namespace llm::chat {
namespace {

template <std::string (*kMap)(std::string_view)>
Result<Value> mapped(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("filter", arguments, {}, 0).status());
  LLM_ASSIGN_OR_RETURN(const std::string text, to_text(runtime, input));
  return runtime.text(kMap(text));
}

// Unlike str.title, words begin after white space and opening brackets only.
std::string title_words(std::string_view text) {
  const auto begins_word = [](char32_t c) {
    return c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || is_space(c);
  };
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = core::utf8_length(text[at]);
    if (begins_word(core::decode_valid_utf8(text.data() + at, length))) {
      out += text.substr(at, length);
      at += length;
      continue;
    }
    std::size_t end = at + length;
    while (end < text.size()) {
      const std::size_t next = core::utf8_length(text[end]);
      if (begins_word(core::decode_valid_utf8(text.data() + end, next))) break;
      end += next;
    }
    out += to_upper(text.substr(at, length));
    out += to_lower(text.substr(at + length, end - at - length));
    at = end;
  }
  return out;
}

Result<Value> trim(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("trim", arguments, {"chars"}, 0));
  LLM_ASSIGN_OR_RETURN(std::string text, to_text(runtime, input));
  return strip_text(runtime, runtime.text(std::move(text)), given[0], true, true);
}

Result<Value> replace(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("replace", arguments, {"old", "new", "count"}, 2));
  LLM_ASSIGN_OR_RETURN(const std::string text, to_text(runtime, input));
  LLM_ASSIGN_OR_RETURN(const std::string old, to_text(runtime, given[0]));
  LLM_ASSIGN_OR_RETURN(const std::string with, to_text(runtime, given[1]));
  const Value count = given[2].is_none() ? Value() : given[2];
  LLM_ASSIGN_OR_RETURN(const std::int64_t most, integer_or(count, -1, "replace"));
  return replace_text(runtime, text, old, with, most);
}

Result<Value> indent(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("indent", arguments, {"width", "first", "blank"}, 0));
  if (!input.is_text()) {
    return core::invalid_argument("indent wants text, not {}", input.type_name());
  }
  std::string indention = given[0].is_text() ? given[0].bytes() : "";
  if (!given[0].is_text()) {
    LLM_ASSIGN_OR_RETURN(const std::int64_t width, integer_or(given[0], 4, "indent"));
    const auto spaces = static_cast<std::size_t>(std::max<std::int64_t>(width, 0));
    if (!runtime.budget.admits(spaces)) return runtime.budget.status();
    indention.assign(spaces, ' ');
  }
  LLM_ASSIGN_OR_RETURN(const bool first, truth_or(given[1], false));
  LLM_ASSIGN_OR_RETURN(const bool blank, truth_or(given[2], false));
  const std::string text = input.bytes() + "\n";
  std::string out;
  bool at_first = true;
  for (const std::string_view line : split_lines(text, false)) {
    if (!at_first) out += '\n';
    const bool indented = at_first ? first : blank || !line.empty();
    at_first = false;
    if (!runtime.budget.admits(out.size() + indention.size() + line.size())) {
      return runtime.budget.status();
    }
    if (indented) out += indention;
    out += line;
  }
  return runtime.text(std::move(out));
}

Result<Value> center(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("center", arguments, {"width"}, 0));
  LLM_ASSIGN_OR_RETURN(const std::int64_t width, integer_or(given[0], 80, "center"));
  LLM_ASSIGN_OR_RETURN(std::string text, to_text(runtime, input));
  return pad_text(runtime, runtime.text(std::move(text)), width, " ", '^');
}

Result<Value> truncate(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given,
                       bind("truncate", arguments, {"length", "killwords", "end", "leeway"}, 0));
  LLM_ASSIGN_OR_RETURN(const std::int64_t most, integer_or(given[0], 255, "truncate"));
  LLM_ASSIGN_OR_RETURN(const bool kill_words, truth_or(given[1], false));
  LLM_ASSIGN_OR_RETURN(const std::string end, text_or(given[2], "...", "truncate"));
  const Value slack = given[3].is_none() ? Value() : given[3];
  LLM_ASSIGN_OR_RETURN(const std::int64_t leeway, integer_or(slack, 5, "truncate"));
  const auto end_length = static_cast<std::int64_t>(code_points(end).size());
  if (most < end_length || leeway < 0) {
    return core::invalid_argument(
        "truncate wants a length of at least {} and a leeway of at least 0", end_length);
  }
  LLM_ASSIGN_OR_RETURN(const std::int64_t size, length(input));
  if (size <= leeway || size - leeway <= most) return input;
  if (!input.is_text()) {
    return core::invalid_argument("truncate wants text, not {}", input.type_name());
  }
  std::string kept = input.bytes();
  kept.resize(byte_offset(kept, static_cast<std::size_t>(most - end_length)));
  const std::size_t space = kept.rfind(' ');
  if (!kill_words && space != std::string::npos) kept.resize(space);
  return runtime.text(kept + end);
}

Result<Value> wordcount(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("wordcount", arguments, {}, 0).status());
  LLM_ASSIGN_OR_RETURN(const std::string text, to_text(runtime, input));
  std::int64_t words = 0;
  bool inside = false;
  for (const char32_t c : code_points(text)) {
    const bool word = c == '_' || is_alphanumeric(c);
    if (word && !inside) ++words;
    inside = word;
  }
  return Value::integer(words);
}

Result<Value> format(Runtime& runtime, const Value& input, const Arguments& arguments) {
  if (!arguments.positional.empty() && !arguments.named.empty()) {
    return core::invalid_argument(
        "format cannot take values by position and by name at the same time");
  }
  LLM_ASSIGN_OR_RETURN(std::string text, to_text(runtime, input));
  Value values = runtime.tuple(arguments.positional);
  if (!arguments.named.empty()) {
    Mapping named;
    for (const auto& [name, value] : arguments.named) named.set(name, value);
    values = runtime.mapping(std::move(named));
  }
  return percent_format(runtime, runtime.text(std::move(text)), values);
}

std::string percent_encode(std::string_view text, bool in_query) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("_.-~").find(c) != std::string_view::npos ||
                       (c == '/' && !in_query);
    if (plain) {
      out += c;
    } else if (c == ' ' && in_query) {
      out += '+';
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

Result<Value> urlencode(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("urlencode", arguments, {}, 0).status());
  if (input.is_text() || !is_iterable(runtime, input)) {
    LLM_ASSIGN_OR_RETURN(const std::string text, to_text(runtime, input));
    return runtime.text(percent_encode(text, false));
  }
  const Value pairs =
      input.is_mapping() ? runtime.object<MappingView>(input, MappingView::Part::items) : input;
  LLM_ASSIGN_OR_RETURN(const std::vector<Value> items, to_items(runtime, pairs));
  std::string out;
  for (const Value& pair : items) {
    LLM_ASSIGN_OR_RETURN(const std::vector<Value> parts, to_items(runtime, pair));
    if (parts.size() != 2) return core::invalid_argument("urlencode wants pairs");
    LLM_ASSIGN_OR_RETURN(const std::string key, to_text(runtime, parts[0]));
    LLM_ASSIGN_OR_RETURN(const std::string value, to_text(runtime, parts[1]));
    if (!out.empty()) out += '&';
    out += percent_encode(key, true) + "=" + percent_encode(value, true);
    if (!runtime.budget.admits(out.size())) return runtime.budget.status();
  }
  return runtime.text(std::move(out));
}

Result<Value> escape(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("escape", arguments, {}, 0).status());
  if (input.is_text()) return runtime.text(escape_html(input.as_text()), true);
  LLM_ASSIGN_OR_RETURN(const std::string text, to_text(runtime, input));
  return runtime.text(escape_html(std::string_view(text)), true);
}

Result<Value> force_escape(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("forceescape", arguments, {}, 0).status());
  LLM_ASSIGN_OR_RETURN(const std::string text, to_text(runtime, input));
  return runtime.text(escape_html(std::string_view(text)), true);
}

Result<Value> safe(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("safe", arguments, {}, 0).status());
  LLM_ASSIGN_OR_RETURN(std::string text, to_text(runtime, input));
  return runtime.text(std::move(text), true);
}

Result<Value> string(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("string", arguments, {}, 0).status());
  if (input.is_text()) return input;
  LLM_ASSIGN_OR_RETURN(std::string text, to_text(runtime, input));
  return runtime.text(std::move(text));
}

constexpr std::array kFilters = {
    Filter{"capitalize", mapped<capitalize>},
    Filter{"center", center},
    Filter{"e", escape},
    Filter{"escape", escape},
    Filter{"forceescape", force_escape},
    Filter{"format", format},
    Filter{"indent", indent},
    Filter{"lower", mapped<to_lower>},
    Filter{"replace", replace},
    Filter{"safe", safe},
    Filter{"string", string},
    Filter{"title", mapped<title_words>},
    Filter{"trim", trim},
    Filter{"truncate", truncate},
    Filter{"upper", mapped<to_upper>},
    Filter{"urlencode", urlencode},
    Filter{"wordcount", wordcount},
};

}  // namespace

std::span<const Filter> text_filters() { return kFilters; }

}  // namespace llm::chat
