#include "chat/lexer.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "chat/string_literal.h"
#include "chat/unicode.h"
#include "core/error.h"
#include "core/quote.h"
#include "core/utf8.h"

namespace llm::chat {
namespace {

constexpr std::array<std::string_view, 26> kSymbols = {
    "//", "**", "==", "!=", ">=", "<=",  // the longer ones first
    "+",  "-",  "/",  "*",  "%",  "~",  "[", "]", "(", ")",
    "{",  "}",  ">",  "<",  "=",  ".",  ":", "|", ",", ";"};

// Line ends as \n, without the one at the very end.
std::string normalize_newlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t at = 0; at < source.size(); ++at) {
    if (source[at] == '\r') {
      out += '\n';
      if (at + 1 < source.size() && source[at + 1] == '\n') ++at;
    } else {
      out += source[at];
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }

class Lexer {
 public:
  explicit Lexer(std::string source) : source_(std::move(source)) {}

  Result<std::vector<Token>> run() {
    while (at_ < source_.size()) {
      read_data();
      if (at_ < source_.size()) LLM_RETURN_IF_ERROR(read_tag());
    }
    add(Token::Kind::end, "");
    return std::move(tokens_);
  }

 private:
  bool starts(std::string_view text) const {
    return std::string_view(source_).substr(at_, text.size()) == text;
  }
  std::string_view rest() const { return std::string_view(source_).substr(at_); }

  void advance(std::size_t bytes) {
    const auto begin = source_.begin() + static_cast<std::ptrdiff_t>(at_);
    line_ += static_cast<int>(std::count(begin, begin + static_cast<std::ptrdiff_t>(bytes), '\n'));
    at_ += bytes;
  }

  void add(Token::Kind kind, std::string text) {
    tokens_.push_back({.kind = kind, .line = line_, .text = std::move(text)});
  }

  void skip_space() { advance(rest().size() - strip_left(rest()).size()); }

  // The text up to the next tag, less what the tag's beginning strips from it.
  void read_data() {
    std::size_t tag = at_;
    while ((tag = source_.find('{', tag)) != std::string::npos) {
      const char next = tag + 1 < source_.size() ? source_[tag + 1] : '\0';
      if (next == '{' || next == '%' || next == '#') break;
      ++tag;
    }
    if (tag == std::string::npos) tag = source_.size();
    const std::string_view text = std::string_view(source_).substr(at_, tag - at_);
    const bool is_variable = tag + 1 < source_.size() && source_[tag + 1] == '{';
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    const std::string_view kept =
        tag == source_.size() ? text : strip_before(text, sign, is_variable);
    if (!kept.empty()) add(Token::Kind::data, std::string(kept));
    advance(text.size());
  }

  std::string_view strip_before(std::string_view text, char sign, bool is_variable) const {
    if (sign == '-') return strip_right(text);
    if (sign == '+' || is_variable) return text;
    const std::size_t last_line_end = text.rfind('\n');
    const bool begins_line = last_line_end != std::string_view::npos || line_starting_;
    const std::size_t line = last_line_end == std::string_view::npos ? 0 : last_line_end + 1;
    return begins_line && strip_left(text.substr(line)).empty() ? text.substr(0, line) : text;
  }

  Status read_tag() {
    const char kind = source_[at_ + 1];
    if (kind == '#') return read_comment();
    if (kind == '%') {
      if (const std::size_t length = raw_tag_length("raw", /*opening=*/true)) {
        return read_raw(length);
      }
    }
    const bool is_block = kind == '%';
    add(is_block ? Token::Kind::block_begin : Token::Kind::variable_begin, "");
    advance(2);
    if (starts("-") || starts("+")) advance(1);
    return read_inside(is_block);
  }

  // Ends a tag whose closing mark is at `at_`, with what the mark strips after it.
  void finish_tag(std::size_t length, bool minus, bool trims_line_end) {
    const std::size_t begin = at_;
    advance(length);
    if (minus) {
      skip_space();
    } else if (trims_line_end && starts("\n")) {
      advance(1);
    }
    line_starting_ = at_ > begin && source_[at_ - 1] == '\n';
  }

  Status read_comment() {
    const int line = line_;
    std::size_t inside = at_ + 2;
    if (inside < source_.size() && (source_[inside] == '-' || source_[inside] == '+')) ++inside;
    const std::size_t end = source_.find("#}", inside);
    if (end == std::string::npos) {
      // To Jinja, a comment that begins at the very end needs no end.
      if (inside < source_.size()) return error_at(line, "the comment is not closed: expected #}");
      advance(inside - at_);
      return {};
    }
    const bool signed_end = end > inside && (source_[end - 1] == '-' || source_[end - 1] == '+');
    advance(end - at_);
    finish_tag(2, signed_end && source_[end - 1] == '-', !signed_end);
    return {};
  }

  // Length of "{%- raw -%}" (of its opening form, or with `endraw` of the closing one) at `at_`; 0
  // when there is something else.
  std::size_t raw_tag_length(std::string_view word, bool opening) const {
    std::string_view tag = rest().substr(2);
    if (!tag.empty() && (tag.front() == '-' || tag.front() == '+')) tag.remove_prefix(1);
    tag = strip_left(tag);
    if (!tag.starts_with(word)) return 0;
    tag = strip_left(tag.substr(word.size()));
    if (tag.starts_with("-") || (!opening && tag.starts_with("+"))) tag.remove_prefix(1);
    return tag.starts_with("%}") ? rest().size() - tag.size() + 2 : 0;
  }

  Status read_raw(std::size_t opening) {
    const int line = line_;
    const bool minus = source_[at_ + opening - 3] == '-';
    // Unlike other tags, this one keeps the line end after it.
    finish_tag(opening, minus, /*trims_line_end=*/false);
    const std::size_t body = at_;
    for (std::size_t tag = body; (tag = source_.find("{%", tag)) != std::string::npos; ++tag) {
      at_ = tag;
      const std::size_t closing = raw_tag_length("endraw", /*opening=*/false);
      at_ = body;
      if (closing == 0) continue;
      const std::string_view text = std::string_view(source_).substr(body, tag - body);
      const std::string_view kept = strip_before(text, source_[tag + 2], false);
      if (!kept.empty()) add(Token::Kind::data, std::string(kept));
      advance(text.size());
      const char sign = source_[at_ + closing - 3];
      finish_tag(closing, sign == '-', sign != '-' && sign != '+');
      return {};
    }
    if (body == source_.size()) return {};  // as with comments
    return error_at(line, "raw is not closed: expected {% endraw %}");
  }

  // Tokens up to the end of a variable or block tag.
  Status read_inside(bool is_block) {
    const std::string_view closing = is_block ? "%}" : "}}";
    std::string open;  // brackets to be closed
    while (at_ < source_.size()) {
      if (open.empty()) {
        const bool minus = starts(is_block ? "-%}" : "-}}");
        const bool plus = is_block && starts("+%}");
        if (minus || plus || starts(closing)) {
          add(is_block ? Token::Kind::block_end : Token::Kind::variable_end, "");
          finish_tag(minus || plus ? 3 : 2, minus, is_block && !plus);
          return {};
        }
      }
      if (strip_left(rest()).size() < rest().size()) {
        skip_space();
      } else if (!read_number() && !read_name()) {
        const bool quoted = source_[at_] == '\'' || source_[at_] == '"';
        LLM_RETURN_IF_ERROR(quoted ? read_string() : read_symbol(open));
      }
    }
    return {};  // not closed: the parser says what it wanted instead of the end
  }

  // End of [0-9]+ with single underscores between digits, from `from`; `from` when there is none.
  std::size_t digits_end(std::size_t from) const {
    std::size_t end = from;
    while (end < source_.size()) {
      if (is_ascii_digit(source_[end])) {
        ++end;
      } else if (end > from && source_[end] == '_' && end + 1 < source_.size() &&
                 is_ascii_digit(source_[end + 1])) {
        ++end;
      } else {
        break;
      }
    }
    return end;
  }

  std::size_t exponent_end(std::size_t from) const {
    if (from >= source_.size() || (source_[from] != 'e' && source_[from] != 'E')) return from;
    std::size_t digits = from + 1;
    if (digits < source_.size() && (source_[digits] == '+' || source_[digits] == '-')) ++digits;
    const std::size_t end = digits_end(digits);
    return end > digits ? end : from;
  }

  bool read_number() {
    if (!is_ascii_digit(source_[at_])) return false;
    const std::size_t whole = digits_end(at_);
    std::size_t end = whole;
    if (at_ == 0 || source_[at_ - 1] != '.') {
      if (end + 1 < source_.size() && source_[end] == '.') {
        const std::size_t fraction = digits_end(end + 1);
        if (fraction > end + 1) end = fraction;
      }
      end = exponent_end(end);
    }
    if (end > whole) {
      add_number(Token::Kind::real, end);
    } else {
      add_number(Token::Kind::integer, integer_end());
    }
    return true;
  }

  // Of 0b1, 0o7, 0xf, decimal numbers without leading zeros, or zeros.
  std::size_t integer_end() const {
    const char base = source_[at_] == '0' && at_ + 1 < source_.size()
                          ? static_cast<char>(source_[at_ + 1] | 0x20)
                          : '\0';
    const std::string_view digits = base == 'b'   ? "01"
                                    : base == 'o' ? "01234567"
                                    : base == 'x' ? "0123456789abcdefABCDEF"
                                                  : "";
    if (!digits.empty()) {
      std::size_t end = at_ + 2;
      for (;;) {
        const std::size_t digit = end < source_.size() && source_[end] == '_' ? end + 1 : end;
        if (digit >= source_.size() || digits.find(source_[digit]) == std::string_view::npos) break;
        end = digit + 1;
      }
      if (end > at_ + 2) return end;
    }
    if (source_[at_] != '0') return digits_end(at_);
    std::size_t end = at_ + 1;
    while (end < source_.size()) {
      const std::size_t digit = source_[end] == '_' ? end + 1 : end;
      if (digit >= source_.size() || source_[digit] != '0') break;
      end = digit + 1;
    }
    return end;
  }

  void add_number(Token::Kind kind, std::size_t end) {
    std::string text = source_.substr(at_, end - at_);
    std::erase(text, '_');
    add(kind, std::move(text));
    advance(end - at_);
  }

  bool read_name() {
    std::size_t end = at_;
    bool first = true;
    while (end < source_.size()) {
      const std::size_t length = core::utf8_length(source_[end]);
      const char32_t c = core::decode_valid_utf8(source_.data() + end, length);
      if (first ? !may_start_identifier(c) : !may_continue_identifier(c)) break;
      first = false;
      end += length;
    }
    if (end == at_) return false;
    add(Token::Kind::name, source_.substr(at_, end - at_));
    advance(end - at_);
    return true;
  }

  Status read_string() {
    const char quote = source_[at_];
    std::size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) {
      return error_at(line_, fmt::format("the string is not closed: expected {}", quote));
    }
    std::string value;
    const std::string problem =
        unescape(std::string_view(source_).substr(at_ + 1, end - at_ - 1), value);
    if (!problem.empty()) return error_at(line_, problem);
    add(Token::Kind::string, std::move(value));
    advance(end + 1 - at_);
    return {};
  }

  Status read_symbol(std::string& open) {
    const auto* const symbol = std::find_if(kSymbols.begin(), kSymbols.end(),
                                            [&](std::string_view s) { return starts(s); });
    if (symbol == kSymbols.end()) {
      const std::size_t length = core::utf8_length(source_[at_]);
      return error_at(line_,
                      fmt::format("unexpected character {}",
                                  core::quote(std::string_view(source_).substr(at_, length))));
    }
    const char c = (*symbol)[0];
    if (c == '(' || c == '[' || c == '{') {
      open += c == '(' ? ')' : c == '[' ? ']' : '}';
    } else if (c == ')' || c == ']' || c == '}') {
      if (open.empty()) return error_at(line_, fmt::format("unexpected '{}'", c));
      if (open.back() != c) {
        return error_at(line_, fmt::format("unexpected '{}', expected '{}'", c, open.back()));
      }
      open.pop_back();
    }
    add(Token::Kind::symbol, std::string(*symbol));
    advance(symbol->size());
    return {};
  }

  const std::string source_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;  // the last tag ended with a line end, or there was none yet
};

}  // namespace

Status error_at(int line, std::string_view message) {
  return core::invalid_argument("line {}: {}", line, message);
}

Result<std::vector<Token>> tokenize(std::string_view source) {
  if (!core::is_valid_utf8(source)) return error_at(1, "the template is not valid UTF-8");
  return Lexer(normalize_newlines(source)).run();
}

}  // namespace llm::chat
