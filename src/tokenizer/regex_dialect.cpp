#include "tokenizer/regex_dialect.h"

#include <array>
#include <optional>
#include <vector>

#include "core/error.h"
#include "core/quote.h"
#include "tokenizer/utf8.h"

namespace llm::tokenizer {
namespace {

// Contents of a bracket expression that equals Oniguruma's \s (the White_Space property). PCRE2's
// own \s also contains U+180E.
constexpr std::string_view kSpaceSet =
    R"(\x09-\x0D\x20\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";
// The same for \w: PCRE2's own lacks marks and other alphabetic characters.
constexpr std::string_view kWordSet = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})";
// Outside of brackets, it also contains the superscript digits and the fractions of Latin-1.
constexpr std::string_view kOuterWordSet =
    R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE})";
constexpr std::string_view kHexSet = "0-9A-Fa-f";

constexpr std::array<std::string_view, 38> kCategories = {
    "L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M",  "Mn", "Mc", "Me", "N",  "Nd", "Nl",
    "No", "P",  "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S",  "Sm", "Sc", "Sk",
    "So", "Z",  "Zs", "Zl", "Zp", "C",  "Cc", "Cf", "Cs", "Co", "Cn", "Any"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

class Translator {
 public:
  explicit Translator(std::string_view pattern) : in_(pattern) {}

  Result<std::string> run() {
    while (at_ < in_.size()) LLM_RETURN_IF_ERROR(item());
    return std::move(out_);
  }

 private:
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < in_.size() ? in_[at_ + ahead] : '\0';
  }
  bool looking_at(std::string_view text) const { return in_.substr(at_).starts_with(text); }
  Status refuse(std::string_view what) const {
    return core::unsupported("{} at byte {} of the regular expression is not supported", what, at_);
  }
  void atom(std::string_view text) {
    atom_begin_ = out_.size();
    out_ += text;
  }
  void set_atom(bool negated, std::string_view set) {
    atom_begin_ = out_.size();
    out_ += negated ? "[^" : "[";
    out_ += set;
    out_ += ']';
  }

  Status item() {
    switch (peek()) {
      case '\\':
        return escape();
      case '[':
        return bracket();
      case '(':
        return open_group();
      case ')':
        if (groups_.empty()) return refuse("an unmatched ')'");
        atom_begin_ = groups_.back();
        groups_.pop_back();
        break;
      case '*':
      case '+':
      case '?':
        out_ += in_[at_++];
        // Lazy and possessive forms are the same in both dialects.
        if (peek() == '?' || peek() == '+') out_ += in_[at_++];
        return Status();
      case '{':
        return interval();
      case '|':
      case '^':
      case '$':
        break;
      default: {
        const std::size_t length = utf8_length(peek());
        atom(in_.substr(at_, length));
        at_ += length;
        return Status();
      }
    }
    out_ += in_[at_++];
    return Status();
  }

  // {n}, {n,}, {n,m} and {,m}; any other '{' is an ordinary character.
  Status interval() {
    std::size_t end = at_ + 1;
    const std::size_t low_begin = end;
    while (end < in_.size() && is_digit(in_[end])) ++end;
    const std::string_view low = in_.substr(low_begin, end - low_begin);
    std::string_view high = low;
    bool exact = true;
    if (end < in_.size() && in_[end] == ',') {
      exact = false;
      const std::size_t high_begin = ++end;
      while (end < in_.size() && is_digit(in_[end])) ++end;
      high = in_.substr(high_begin, end - high_begin);
    }
    if (end >= in_.size() || in_[end] != '}' || (low.empty() && high.empty())) {
      atom("\\{");
      ++at_;
      return Status();
    }
    out_ += '{';
    out_ += low.empty() ? "0" : low;
    if (!exact) {
      out_ += ',';
      out_ += high;
    }
    out_ += '}';
    at_ = end + 1;
    if (peek() == '?') {
      if (exact) return refuse("'{n}?'");
      out_ += in_[at_++];
    } else if (peek() == '+') {
      // Not possessive in Ruby syntax: the interval itself is repeated.
      out_.insert(atom_begin_, "(?:");
      out_ += ")+";
      ++at_;
    }
    return Status();
  }

  Status open_group() {
    groups_.push_back(out_.size());
    constexpr std::array<std::string_view, 6> kSame = {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"};
    for (const std::string_view prefix : kSame) {
      if (!looking_at(prefix)) continue;
      out_ += prefix;
      at_ += prefix.size();
      return Status();
    }
    if (!looking_at("(?")) {
      out_ += "(?:";
      ++at_;
      return Status();
    }
    std::string flags = "(?";
    std::size_t end = at_ + 2;
    for (; end < in_.size() && (in_[end] == 'i' || in_[end] == 'm' || in_[end] == '-'); ++end) {
      flags += in_[end] == 'm' ? 's' : in_[end];  // Ruby's m lets '.' match a newline
    }
    const bool to_end_of_group = end < in_.size() && in_[end] == ')';
    if (end == at_ + 2 || end >= in_.size() || (in_[end] != ':' && !to_end_of_group)) {
      return refuse("the group " + core::quote(in_.substr(at_, 4)));
    }
    if (to_end_of_group) {
      // In the middle of a group, the two dialects give different alternatives.
      const char before = at_ == 0 ? '(' : in_[at_ - 1];
      if (before != '(' && before != ':') return refuse("an option inside a group");
      groups_.pop_back();
    }
    out_ += flags;
    out_ += in_[end];
    at_ = end + 1;
    return Status();
  }

  Status escape() {
    const char c = peek(1);
    at_ += 2;
    switch (c) {
      case 's':
        set_atom(false, kSpaceSet);
        return Status();
      case 'S':
        set_atom(true, kSpaceSet);
        return Status();
      case 'w':
        set_atom(false, kOuterWordSet);
        return Status();
      case 'W':
        set_atom(true, kOuterWordSet);
        return Status();
      case 'h':
        set_atom(false, kHexSet);
        return Status();
      case 'H':
        set_atom(true, kHexSet);
        return Status();
      case 'd':
        atom("\\p{Nd}");
        return Status();
      case 'D':
        atom("\\P{Nd}");
        return Status();
      case 'b':
      case 'B': {
        const bool same = c == 'B';  // both sides are word characters, or neither
        atom(fmt::format("(?:(?<=[{0}])(?{1}[{0}])|(?<![{0}])(?{2}[{0}]))", kOuterWordSet,
                         same ? '=' : '!', same ? '!' : '='));
        return Status();
      }
      case 'A':
        out_ += "\\A";
        return Status();
      case 'z':
        out_ += "\\z";
        return Status();
      case 'Z':
        out_ += "\\Z";
        return Status();
      default:
        break;
    }
    at_ -= 2;
    std::string code;
    LLM_RETURN_IF_ERROR(character_escape(code));
    atom(code);
    return Status();
  }

  // An escape that stands for one character or a property, inside or outside of brackets.
  Status character_escape(std::string& code) {
    const char c = peek(1);
    switch (c) {
      case '\0':
        return refuse("a trailing '\\'");
      case 'n':
      case 't':
      case 'r':
      case 'f':
      case 'a':
      case 'e':
        code = {'\\', c};
        break;
      case 'v':
        code = std::string_view("\\x0B");
        break;  // all vertical space in PCRE2
      case 'p':
      case 'P':
        return property(code);
      case 'x':
      case 'u':
        return code_point(code);
      default:
        if (is_letter(c) || is_digit(c)) return refuse(std::string("'\\") + c + "'");
        code.push_back('\\');
        code += in_.substr(at_ + 1, utf8_length(c));
        at_ += 1 + utf8_length(c);
        return Status();
    }
    at_ += 2;
    return Status();
  }

  Status code_point(std::string& code) {
    const bool braces = peek(1) == 'x' && peek(2) == '{';
    const std::size_t begin = at_ + (braces ? 3 : 2);
    const std::size_t most = braces ? 6 : peek(1) == 'u' ? 4 : 2;
    std::size_t end = begin;
    while (end < in_.size() && end - begin < most && is_hex(in_[end])) ++end;
    const std::string_view digits = in_.substr(begin, end - begin);
    if (digits.empty() || (peek(1) == 'u' && digits.size() != 4)) {
      return refuse("a malformed character code");
    }
    if (braces) {
      if (end >= in_.size() || in_[end] != '}') return refuse("a malformed character code");
      ++end;
    } else if (peek(1) == 'x' && digits.size() == 2 && digits[0] >= '8') {
      return refuse("a byte of a character");  // \xHH is a byte in Oniguruma
    }
    code = fmt::format("\\x{{{}}}", digits);
    at_ = end;
    return Status();
  }

  static bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  }

  // \p{L}, \P{L}, \p{^L}; a name that is no general category is a script.
  Status property(std::string& code) {
    const std::size_t end = in_.find('}', at_);
    if (peek(2) != '{' || end == std::string_view::npos) return refuse("a malformed property");
    std::string_view name = in_.substr(at_ + 3, end - at_ - 3);
    bool negated = peek(1) == 'P';
    if (name.starts_with('^')) {
      negated = !negated;
      name.remove_prefix(1);
    }
    bool known = !name.empty();
    for (const char c : name) known = known && (is_letter(c) || c == '_');
    if (!known) return refuse("the property " + core::quote(name));
    bool category = false;
    for (const std::string_view one : kCategories) category = category || one == name;
    // A bare script name would mean the script extensions in PCRE2.
    code = fmt::format("\\{}{{{}{}}}", negated ? 'P' : 'p', category ? "" : "sc:", name);
    at_ = end + 1;
    return Status();
  }

  Status bracket() {
    atom_begin_ = out_.size();
    out_ += '[';
    ++at_;
    if (peek() == '^') {
      out_ += '^';
      ++at_;
    }
    std::size_t depth = 1;
    bool first = true;
    while (depth > 0) {
      if (at_ >= in_.size()) return refuse("an unterminated '['");
      const char c = peek();
      if (c == ']' && !first) {
        --depth;
        ++at_;
      } else if (c == '[') {
        if (peek(1) == ':') return refuse("a POSIX bracket");
        if (peek(1) == '^') return refuse("a negated set inside a set");
        ++depth;  // the union of sets: their members side by side
        ++at_;
      } else if (looking_at("&&")) {
        return refuse("an intersection of sets");
      } else if (c == '\\') {
        LLM_RETURN_IF_ERROR(bracket_escape());
      } else {
        if (c == ']') out_ += '\\';
        const std::size_t length = utf8_length(c);
        out_ += in_.substr(at_, length);
        at_ += length;
      }
      first = false;
    }
    out_ += ']';
    return Status();
  }

  Status bracket_escape() {
    std::string_view code;
    switch (peek(1)) {
      case 's':
        code = kSpaceSet;
        break;
      case 'S':
        code = "\\S\\x{180E}";
        break;
      case 'w':
        code = kWordSet;
        break;
      case 'h':
        code = kHexSet;
        break;
      case 'd':
        code = "\\p{Nd}";
        break;
      case 'D':
        code = "\\P{Nd}";
        break;
      case 'b':
        code = "\\x08";
        break;
      default: {
        std::string other;
        LLM_RETURN_IF_ERROR(character_escape(other));
        out_ += other;
        return Status();
      }
    }
    out_ += code;
    at_ += 2;
    return Status();
  }

  std::string_view in_;
  std::size_t at_ = 0;
  std::string out_;
  std::size_t atom_begin_ = 0;       // where the last complete atom starts in out_
  std::vector<std::size_t> groups_;  // where the open groups start in out_
};

}  // namespace

Result<std::string> oniguruma_to_pcre2(std::string_view pattern) {
  // Trailing white space, searched from every position of a long run of it, would take quadratic
  // time. A match can only begin where the run begins: what is left of a run after a match holds no
  // further end of a line.
  if (pattern == R"(\s+$)") {
    LLM_ASSIGN_OR_RETURN(const std::string same, Translator(pattern).run());
    return fmt::format("(?<![{}]){}", kSpaceSet, same);
  }
  return Translator(pattern).run();
}

}  // namespace llm::tokenizer
