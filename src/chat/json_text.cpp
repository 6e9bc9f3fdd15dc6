#include "chat/json_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "chat/operators.h"
#include "chat/python_text.h"
#include "core/error.h"
#include "core/quote.h"
#include "core/utf8.h"

namespace llm::chat {
namespace {

class JsonWriter {
 public:
  JsonWriter(Runtime& runtime, const JsonStyle& style) : runtime_(runtime), style_(style) {}

  Status write(const Value& value) {
    if (!runtime_.budget.spend() || !runtime_.budget.admits(out_.size())) {
      return runtime_.budget.status();
    }
    switch (value.kind()) {
      case Value::Kind::none:
        out_ += "null";
        return {};
      case Value::Kind::boolean:
        out_ += value.as_boolean() ? "true" : "false";
        return {};
      case Value::Kind::integer:
        out_ += std::to_string(value.as_integer());
        return {};
      case Value::Kind::real:
        out_ += number(value.as_real());
        return {};
      case Value::Kind::text:
        write_text(value.bytes());
        return {};
      case Value::Kind::list:
      case Value::Kind::tuple:
        return write_list(value.items());
      case Value::Kind::mapping:
        return write_mapping(value.as_mapping());
      default:
        return core::invalid_argument("Object of type {} is not JSON serializable",
                                      value.type_name());
    }
  }

  std::string take() { return std::move(out_); }

 private:
  static std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
    return float_repr(value);
  }

  void write_text(std::string_view text) {
    out_ += '"';
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t length = core::utf8_length(text[at]);
      write_character(text.substr(at, length));
      at += length;
    }
    out_ += '"';
  }

  void write_character(std::string_view character) {
    const char c = character[0];
    if (character.size() > 1) {
      if (!style_.ascii_only) {
        out_ += character;
        return;
      }
      const char32_t point = core::decode_valid_utf8(character.data(), character.size());
      if (point >= 0x10000) {
        out_ += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + ((point - 0x10000) >> 10),
                            0xDC00 + ((point - 0x10000) & 0x3FF));
      } else {
        out_ += fmt::format("\\u{:04x}", static_cast<unsigned>(point));
      }
      return;
    }
    constexpr std::string_view kEscaped = "\"\\\n\r\t\f\b";
    constexpr std::string_view kLetters = "\"\\nrtfb";
    const std::size_t known = kEscaped.find(c);
    if (known != std::string_view::npos) {
      out_ += '\\';
      out_ += kLetters[known];
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out_ += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out_ += c;
    }
  }

  void new_line() {
    if (!style_.indent) return;
    out_ += '\n';
    for (int i = 0; i < depth_; ++i) out_ += *style_.indent;
  }

  Status write_list(const std::vector<Value>& items) {
    if (items.empty()) {
      out_ += "[]";
      return {};
    }
    out_ += '[';
    ++depth_;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += style_.item_separator;
      new_line();
      LLM_RETURN_IF_ERROR(write(items[i]));
    }
    --depth_;
    new_line();
    out_ += ']';
    return {};
  }

  static Result<std::string> key_text(const Value& key) {
    switch (key.kind()) {
      case Value::Kind::text:
        return key.bytes();
      case Value::Kind::none:
        return std::string("null");
      case Value::Kind::boolean:
        return std::string(key.as_boolean() ? "true" : "false");
      case Value::Kind::integer:
        return std::to_string(key.as_integer());
      case Value::Kind::real:
        return number(key.as_real());
      default:
        return core::invalid_argument("keys must be str, int, float, bool or None, not {}",
                                      key.type_name());
    }
  }

  Status write_mapping(const Mapping& mapping) {
    if (mapping.size() == 0) {
      out_ += "{}";
      return {};
    }
    std::vector<Value> keys;
    for (const auto& entry : mapping.entries()) keys.push_back(entry.first);
    if (style_.sort_keys) {
      LLM_ASSIGN_OR_RETURN(keys, sorted(runtime_, keys, keys, /*reverse=*/false));
    }
    out_ += '{';
    ++depth_;
    bool first = true;
    for (const Value& key : keys) {
      if (!first) out_ += style_.item_separator;
      first = false;
      new_line();
      LLM_ASSIGN_OR_RETURN(const std::string text, key_text(key));
      write_text(text);
      out_ += style_.key_separator;
      LLM_RETURN_IF_ERROR(write(*mapping.find(key)));
    }
    --depth_;
    new_line();
    out_ += '}';
    return {};
  }

  Runtime& runtime_;
  const JsonStyle& style_;
  std::string out_;
  int depth_ = 0;
};

// Builds a Value from the events of a JSON reader.
class ValueBuilder final : public core::JsonSink {
 public:
  bool null() override { return add(Value::none()); }
  bool boolean(bool value) override { return add(Value::boolean(value)); }
  bool number_integer(number_integer_t value) override { return add(Value::integer(value)); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max())) {
      return refuse(std::to_string(value));
    }
    return add(Value::integer(static_cast<std::int64_t>(value)));
  }
  bool number_float(number_float_t value, const string_t& text) override {
    // The reader makes floats of integers that are too long.
    if (text.find_first_of(".eE") == std::string::npos) return refuse(text);
    return add(Value::real(value));
  }
  bool string(string_t& value) override { return add(Value::text(std::move(value))); }
  bool binary(binary_t&) override { return false; }  // not in JSON
  bool start_object(std::size_t) override { return open(false); }
  bool key(string_t& name) override {
    open_.back().key = Value::text(std::move(name));
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(true); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

  Value take() { return std::move(result_); }
  const std::string& problem() const { return problem_; }

 private:
  struct Container {
    bool is_list;
    std::vector<Value> items;
    Mapping entries;
    Value key;
  };

  bool refuse(const std::string& number) {
    problem_ = fmt::format("an integer of more than 64 bits: {}", core::printable(number, 60));
    return false;
  }

  bool open(bool is_list) {
    open_.push_back({.is_list = is_list});
    return true;
  }

  bool close() {
    Container done = std::move(open_.back());
    open_.pop_back();
    return add(done.is_list ? Value::list(std::move(done.items))
                            : Value::mapping(std::move(done.entries)));
  }

  bool add(Value value) {
    if (open_.empty()) {
      result_ = std::move(value);
    } else if (open_.back().is_list) {
      open_.back().items.push_back(std::move(value));
    } else {
      open_.back().entries.set(std::move(open_.back().key), std::move(value));
    }
    return true;
  }

  std::vector<Container> open_;
  Value result_;
  std::string problem_;
};

}  // namespace

Result<std::string> to_json(Runtime& runtime, const Value& value, const JsonStyle& style) {
  JsonWriter writer(runtime, style);
  LLM_RETURN_IF_ERROR(writer.write(value));
  return writer.take();
}

Result<Value> from_json(std::string_view text, std::string_view what, core::JsonLimits limits) {
  ValueBuilder builder;
  const Status status = core::read_json(text, what, builder, limits);
  if (!builder.problem().empty()) return core::invalid_argument("{}: {}", what, builder.problem());
  if (!status.ok()) return core::invalid_argument("{}", status.message());
  return builder.take();
}

}  // namespace llm::chat
