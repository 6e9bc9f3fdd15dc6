// The replacement fields of str.format, as Python's string.Formatter reads them.
#include <algorithm>
#include <charconv>

#include "chat/attributes.h"
#include "chat/format_spec.h"
#include "chat/python_text.h"
#include "core/error.h"
#include "core/quote.h"
#include "core/utf8.h"

namespace llm::chat {
namespace {

class FieldFormatter {
 public:
  FieldFormatter(Runtime& runtime, const Arguments& arguments)
      : runtime_(runtime), arguments_(arguments) {}

  // `depth`: how often fields inside of specifications may still be nested.
  Result<std::string> run(std::string_view format, int depth) {
    if (depth < 0) return core::invalid_argument("Max string recursion exceeded");
    std::string out;
    for (std::size_t at = 0; at < format.size();) {
      const char c = format[at];
      if (c != '{' && c != '}') {
        const std::size_t end = std::min(format.find_first_of("{}", at), format.size());
        out += format.substr(at, end - at);
        at = end;
      } else if (at + 1 < format.size() && format[at + 1] == c) {
        out += c;
        at += 2;
      } else if (c == '}') {
        return core::invalid_argument("Single '}}' encountered in format string");
      } else {
        const std::size_t end = field_end(format, at + 1);
        if (end == std::string_view::npos) {
          return core::invalid_argument("expected '}}' before end of string");
        }
        LLM_ASSIGN_OR_RETURN(const std::string text,
                             format_field(format.substr(at + 1, end - at - 1), depth));
        out += text;
        at = end + 1;
      }
      if (!runtime_.budget.admits(out.size())) return runtime_.budget.status();
    }
    return out;
  }

 private:
  // Position of the bracket that closes the field which begins at `at`. Between [ and ], others do
  // not count.
  static std::size_t field_end(std::string_view format, std::size_t at) {
    int depth = 1;
    bool subscript = false;
    for (; at < format.size(); ++at) {
      const char c = format[at];
      if (subscript) {
        subscript = c != ']';
      } else if (c == '[' && depth == 1) {
        subscript = true;
      } else if (c == '{') {
        ++depth;
      } else if (c == '}' && --depth == 0) {
        return at;
      }
    }
    return std::string_view::npos;
  }

  Result<std::string> format_field(std::string_view field, int depth) {
    const std::size_t name_end = [&] {
      bool subscript = false;
      for (std::size_t at = 0; at < field.size(); ++at) {
        if (field[at] == '[') subscript = true;
        if (field[at] == ']') subscript = false;
        if (!subscript && (field[at] == '!' || field[at] == ':')) return at;
      }
      return field.size();
    }();
    LLM_ASSIGN_OR_RETURN(Value value, look_up(field.substr(0, name_end)));
    std::string_view rest = field.substr(name_end);
    if (rest.starts_with("!")) {
      if (rest.size() < 2) return core::invalid_argument("unmatched '{{' in format spec");
      const char conversion = rest[1];
      rest.remove_prefix(2);
      if (!rest.empty() && rest[0] != ':') {
        return core::invalid_argument("expected ':' after conversion specifier");
      }
      LLM_ASSIGN_OR_RETURN(const std::string text, convert(value, conversion));
      value = runtime_.text(text);
    }
    if (rest.starts_with(":")) rest.remove_prefix(1);
    LLM_ASSIGN_OR_RETURN(const std::string spec, run(rest, depth - 1));
    return format_value(runtime_, value, spec);
  }

  Result<std::string> convert(const Value& value, char conversion) {
    if (conversion == 's') return to_text(runtime_, value);
    if (conversion == 'r') return repr(runtime_, value);
    return core::invalid_argument("unknown conversion specifier !{}",
                                  core::printable(std::string_view(&conversion, 1)));
  }

  static bool to_index(std::string_view text, std::int64_t& index) {
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, index);
    return !text.empty() && text[0] != '-' && read.ec == std::errc() && read.ptr == end;
  }

  // name.attribute[index]...
  Result<Value> look_up(std::string_view name) {
    const std::size_t first_end = std::min(name.find_first_of(".["), name.size());
    if (first_end == 0 && !name.empty()) {
      return core::invalid_argument("the field {} of the format string needs an argument",
                                    core::quote(name, 40));
    }
    LLM_ASSIGN_OR_RETURN(Value value, argument(name.substr(0, first_end)));
    std::string_view rest = name.substr(first_end);
    while (!rest.empty()) {
      if (rest[0] == '.') {
        const std::size_t end = std::min(rest.find_first_of(".[", 1), rest.size());
        if (end == 1) return core::invalid_argument("Empty attribute in format string");
        LLM_ASSIGN_OR_RETURN(value, get_attribute(runtime_, value, rest.substr(1, end - 1)));
        rest.remove_prefix(end);
        continue;
      }
      const std::size_t end = rest.find(']');
      if (rest[0] != '[' || end == std::string_view::npos || end == 1) {
        return core::invalid_argument("the field {} of the format string is malformed",
                                      core::quote(name, 40));
      }
      const std::string_view index = rest.substr(1, end - 1);
      std::int64_t number = 0;
      const Value key =
          to_index(index, number) ? Value::integer(number) : runtime_.text(std::string(index));
      LLM_ASSIGN_OR_RETURN(value, get_item(runtime_, value, key));
      rest.remove_prefix(end + 1);
    }
    return value;
  }

  Result<Value> argument(std::string_view name) {
    std::int64_t index = 0;
    const bool is_number = to_index(name, index);
    if (name.empty() || is_number) {
      const bool automatic = name.empty();
      if (numbering_ != Numbering::unknown && (numbering_ == Numbering::automatic) != automatic) {
        return core::invalid_argument(
            "cannot switch between manual field specification and automatic field numbering");
      }
      numbering_ = automatic ? Numbering::automatic : Numbering::manual;
      if (automatic) index = next_++;
      if (index >= static_cast<std::int64_t>(arguments_.positional.size())) {
        return core::invalid_argument("Replacement index {} out of range for positional args",
                                      index);
      }
      return arguments_.positional[static_cast<std::size_t>(index)];
    }
    for (const auto& [known, value] : arguments_.named) {
      if (known == name) return value;
    }
    return core::invalid_argument("the format string needs an argument {}", core::quote(name, 40));
  }

  enum class Numbering { unknown, automatic, manual };

  Runtime& runtime_;
  const Arguments& arguments_;
  Numbering numbering_ = Numbering::unknown;
  std::int64_t next_ = 0;
};

}  // namespace

Result<std::string> format_text(Runtime& runtime, std::string_view format,
                                const Arguments& arguments) {
  runtime.budget.spend_bytes(format.size());
  return FieldFormatter(runtime, arguments).run(format, 2);
}

}  // namespace llm::chat
