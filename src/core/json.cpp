#include "core/json.h"

#include <charconv>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/quote.h"

namespace llm::core {
namespace {

// Feeds a DOM builder while watching depth and duplicate keys. nlohmann's own DOM parser keeps the
// last of two equal keys silently, which lets two readers of one file disagree.
class StrictHandler : public nlohmann::json_sax<Json> {
 public:
  StrictHandler(Json& root, JsonLimits limits) : builder_(root, false), limits_(limits) {}

  bool null() override { return builder_.null(); }
  bool boolean(bool value) override { return builder_.boolean(value); }
  bool number_integer(number_integer_t value) override { return builder_.number_integer(value); }
  bool number_unsigned(number_unsigned_t value) override {
    return builder_.number_unsigned(value);
  }
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

  nlohmann::detail::json_sax_dom_parser<Json> builder_;
  JsonLimits limits_;
  std::size_t depth_ = 0;
  std::vector<std::set<std::string>> keys_;
  std::string problem_;
};

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view what, JsonLimits limits) {
  // nlohmann's lexer takes a NUL for the end of its input and would ignore what follows.
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    return corrupt_data("{}: invalid JSON at byte {}: a NUL byte", what, nul + 1);
  }
  Json root;
  StrictHandler handler(root, limits);
  try {
    if (Json::sax_parse(text.begin(), text.end(), &handler)) return root;
  } catch (const std::exception& error) {
    return corrupt_data("{}: invalid JSON: {}", what, printable(error.what(), 200));
  }
  return corrupt_data("{}: invalid JSON {}", what, handler.problem());
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
