#include "core/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/quote.h"

namespace llm::core {
namespace {

// Passes events on while watching depth and duplicate keys. nlohmann's own DOM parser keeps the
// last of two equal keys silently, which lets two readers of one file disagree. `Builder` has the
// members of JsonSink.
template <class Builder>
class StrictHandler : public JsonSink {
 public:
  StrictHandler(Builder& builder, JsonLimits limits) : builder_(builder), limits_(limits) {}

  bool null() override { return builder_.null(); }
  bool boolean(bool value) override { return builder_.boolean(value); }
  bool number_integer(number_integer_t value) override { return builder_.number_integer(value); }
  bool number_unsigned(number_unsigned_t value) override { return builder_.number_unsigned(value); }
  bool number_float(number_float_t value, const string_t& text) override {
    return builder_.number_float(value, text);
  }
  bool string(string_t& value) override { return builder_.string(value); }
  bool binary(binary_t& value) override { return builder_.binary(value); }

  bool start_object(std::size_t size) override {
    keys_.emplace_back();
    return enter() && builder_.start_object(size);
  }
  bool key(string_t& name) override {
    if (!keys_.back().insert(name).second) {
      problem_ = fmt::format("duplicate key {}", quote(name));
      return false;
    }
    return builder_.key(name);
  }
  bool end_object() override {
    keys_.pop_back();
    --depth_;
    return builder_.end_object();
  }
  bool start_array(std::size_t size) override { return enter() && builder_.start_array(size); }
  bool end_array() override {
    --depth_;
    return builder_.end_array();
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: text" -> "text"
    std::string text = error.what();
    const char* mark = text.find("] parse error") != std::string::npos ? ": " : "] ";
    const std::size_t end = text.find(mark);
    if (end != std::string::npos) text.erase(0, end + 2);
    // The text quotes the offending token, however long.
    problem_ = fmt::format("at byte {}: {}", position, printable(text, 200));
    return false;
  }

  const std::string& problem() const { return problem_; }

 private:
  bool enter() {
    if (++depth_ <= limits_.max_depth) return true;
    problem_ = fmt::format("nesting deeper than {} levels", limits_.max_depth);
    return false;
  }

  Builder& builder_;
  JsonLimits limits_;
  std::size_t depth_ = 0;
  std::vector<std::set<std::string>> keys_;
  std::string problem_;
};

template <class Builder>
Status read_strictly(std::string_view text, std::string_view what, Builder& builder,
                     JsonLimits limits) {
  // nlohmann's lexer takes a NUL for the end of its input and would ignore what follows.
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    return corrupt_data("{}: invalid JSON at byte {}: a NUL byte", what, nul + 1);
  }
  StrictHandler<Builder> handler(builder, limits);
  try {
    if (Json::sax_parse(text.begin(), text.end(), &handler)) return {};
  } catch (const std::exception& error) {
    return corrupt_data("{}: invalid JSON: {}", what, printable(error.what(), 200));
  }
  return corrupt_data("{}: invalid JSON {}", what, handler.problem());
}

// End of the JSON string that starts at text[begin], a quotation mark.
std::size_t string_end(std::string_view text, std::size_t begin) {
  std::size_t at = begin + 1;
  while (text[at] != '"') at += text[at] == '\\' ? 2 : 1;
  return at + 1;
}

// End of the JSON value that starts at text[begin].
std::size_t value_end(std::string_view text, std::size_t begin) {
  if (text[begin] == '"') return string_end(text, begin);
  if (text[begin] != '{' && text[begin] != '[') {
    return std::min(text.find_first_of(",]} \t\r\n", begin), text.size());
  }
  std::size_t depth = 0;
  for (std::size_t at = begin;;) {
    const char c = text[at];
    at = c == '"' ? string_end(text, at) : at + 1;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return at;
  }
}

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view what, JsonLimits limits) {
  Json root;
  nlohmann::detail::json_sax_dom_parser<Json> builder(root, false);
  LLM_RETURN_IF_ERROR(read_strictly(text, what, builder, limits));
  return root;
}

Status read_json(std::string_view text, std::string_view what, JsonSink& sink, JsonLimits limits) {
  return read_strictly(text, what, sink, limits);
}

std::string_view member_text(std::string_view object, std::string_view key) {
  constexpr std::string_view kSpace = " \t\r\n";
  std::size_t at = object.find('{') + 1;
  while ((at = object.find_first_not_of(" \t\r\n,", at)) != std::string_view::npos &&
         object[at] == '"') {
    const std::size_t key_end = string_end(object, at);
    const std::string_view spelled = object.substr(at, key_end - at);
    const std::size_t begin =
        object.find_first_not_of(kSpace, object.find_first_not_of(kSpace, key_end) + 1);
    const std::size_t end = value_end(object, begin);
    if (Json::parse(spelled).get_ref<const std::string&>() == key) {
      return object.substr(begin, end - begin);
    }
    at = end;
  }
  return {};
}

Json float_json(float value) {
  if (!std::isfinite(value)) return nullptr;
  char text[32];
  const auto written = std::to_chars(text, text + sizeof text, value);
  double shortest = 0;
  std::from_chars(text, written.ptr, shortest);
  return shortest;
}

}  // namespace llm::core
