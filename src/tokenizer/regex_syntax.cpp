#include "tokenizer/regex_syntax.h"

#include <algorithm>

#include "tokenizer/utf8.h"

namespace llm::tokenizer {
namespace {

constexpr std::size_t kMaxDepth = 100;
constexpr std::uint32_t kMaxCount = 1000;

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Every member function that parses returns nothing (or false) when it meets what it cannot say.
class Parser {
 public:
  explicit Parser(std::string_view pattern) : in_(pattern) {}

  std::optional<RegexNode> parse() {
    auto node = choice(0);
    if (!node || at_ != in_.size()) return std::nullopt;
    return node;
  }
  std::vector<CharacterSet> take_sets() { return std::move(sets_); }

 private:
  struct Flags {
    bool ignore_case = false, dot_all = false;
  };

  bool looking_at(std::string_view text) const { return in_.substr(at_).starts_with(text); }
  bool accept(std::string_view text) {
    if (!looking_at(text)) return false;
    at_ += text.size();
    return true;
  }

  std::size_t add_set(CharacterSet set) {
    const auto place = std::find(sets_.begin(), sets_.end(), set);
    if (place != sets_.end()) return static_cast<std::size_t>(place - sets_.begin());
    sets_.push_back(std::move(set));
    return sets_.size() - 1;
  }
  RegexNode set_node(CharacterSet set) {
    RegexNode node{RegexNode::Kind::set};
    node.set = add_set(std::move(set));
    return node;
  }

  std::optional<RegexNode> choice(std::size_t depth) {
    if (depth > kMaxDepth) return std::nullopt;
    RegexNode node{RegexNode::Kind::choice};
    do {
      auto part = sequence(depth);
      if (!part) return std::nullopt;
      node.parts.push_back(std::move(*part));
    } while (accept("|"));
    return node;
  }

  std::optional<RegexNode> sequence(std::size_t depth) {
    RegexNode node{RegexNode::Kind::sequence};
    while (at_ < in_.size() && in_[at_] != '|' && in_[at_] != ')') {
      auto part = atom(depth);
      if (!part || !quantifiers(*part)) return std::nullopt;
      node.parts.push_back(std::move(*part));
    }
    return node;
  }

  bool quantifiers(RegexNode& node) {
    while (at_ < in_.size()) {
      std::uint32_t least = 0, most = RegexNode::kUnlimited;
      if (accept("*")) {
      } else if (accept("+")) {
        least = 1;
      } else if (accept("?")) {
        most = 1;
      } else if (in_[at_] == '{') {
        if (!interval(least, most)) return false;
      } else {
        return true;
      }
      const bool lazy = accept("?");
      if (looking_at("+")) return false;  // possessive
      // What a loop does with empty rounds differs between engines.
      if (most > 1 && node.can_be_empty()) return false;
      RegexNode repeat{RegexNode::Kind::repeat};
      repeat.least = least;
      repeat.most = most;
      repeat.greedy = !lazy;
      repeat.parts.push_back(std::move(node));
      node = std::move(repeat);
    }
    return true;
  }

  bool number(std::uint32_t& value) {
    const std::size_t begin = at_;
    value = 0;
    while (at_ < in_.size() && in_[at_] >= '0' && in_[at_] <= '9' && value <= kMaxCount) {
      value = value * 10 + static_cast<std::uint32_t>(in_[at_++] - '0');
    }
    return at_ > begin && value <= kMaxCount;
  }
  bool interval(std::uint32_t& least, std::uint32_t& most) {
    ++at_;
    if (!number(least)) return false;
    most = least;
    if (accept(",")) {
      most = RegexNode::kUnlimited;
      if (!looking_at("}") && !number(most)) return false;
    }
    return accept("}") && least <= most;
  }

  std::optional<RegexNode> atom(std::size_t depth) {
    switch (in_[at_]) {
      case '(':
        return group(depth);
      case '[': {
        auto set = bracket();
        if (!set || flags_.ignore_case) return std::nullopt;
        return set_node(std::move(*set));
      }
      case '.':
        ++at_;
        return set_node(flags_.dot_all ? CharacterSet{{}, 0, true}
                                       : CharacterSet{{{'\n', '\n'}}, 0, true});
      case '$': {  // before every newline, and at the end
        ++at_;
        RegexNode node{RegexNode::Kind::look};
        node.set = add_set({{{'\n', '\n'}}});
        node.ahead = node.at_edge = true;
        return node;
      }
      case '\\': {
        CharacterSet set;
        if (!escape(set)) return std::nullopt;
        return set_node(std::move(set));
      }
      case '*':
      case '+':
      case '?':
      case '^':
        return std::nullopt;
      default: {
        CharacterSet set;
        if (!add_character(next_character(), set)) return std::nullopt;
        return set_node(std::move(set));
      }
    }
  }

  char32_t next_character() {
    const std::size_t length = utf8_length(in_[at_]);
    const char32_t c = decode_valid_utf8(in_.data() + at_, length);
    at_ += length;
    return c;
  }

  // A literal character, in any case where that is wanted.
  bool add_character(char32_t c, CharacterSet& set) const {
    set.ranges.push_back({c, c});
    if (!flags_.ignore_case) return true;
    if (c >= 0x80) return false;
    const char32_t lower = c | 0x20;
    if (lower < 'a' || lower > 'z') return true;
    set.ranges.push_back({c ^ 0x20, c ^ 0x20});
    if (lower == 's') set.ranges.push_back({0x17F, 0x17F});    // LATIN SMALL LETTER LONG S
    if (lower == 'k') set.ranges.push_back({0x212A, 0x212A});  // KELVIN SIGN
    return true;
  }

  std::optional<RegexNode> group(std::size_t depth) {
    struct Look {
      std::string_view open;
      bool ahead, wanted;
    };
    constexpr Look kLooks[] = {
        {"(?=", true, true}, {"(?!", true, false}, {"(?<=", false, true}, {"(?<!", false, false}};
    for (const Look& look : kLooks) {
      if (!accept(look.open)) continue;
      auto inner = choice(depth + 1);
      if (!inner || !accept(")")) return std::nullopt;
      const RegexNode* one = &*inner;
      while (one->kind != RegexNode::Kind::set && one->kind != RegexNode::Kind::look &&
             one->kind != RegexNode::Kind::repeat && one->parts.size() == 1) {
        one = &one->parts[0];
      }
      if (one->kind != RegexNode::Kind::set) return std::nullopt;
      RegexNode node{RegexNode::Kind::look};
      node.set = one->set;
      node.ahead = look.ahead;
      node.wanted = look.wanted;
      node.at_edge = !look.wanted;
      return node;
    }
    const Flags outer = flags_;
    bool to_end_of_group = false;
    if (!accept("(?:")) {
      if (!accept("(?")) return std::nullopt;
      bool on = true;
      while (at_ < in_.size() && (in_[at_] == 'i' || in_[at_] == 's' || in_[at_] == '-')) {
        const char c = in_[at_++];
        if (c == '-') on = false;
        if (c == 'i') flags_.ignore_case = on;
        if (c == 's') flags_.dot_all = on;
      }
      to_end_of_group = accept(")");
      if (to_end_of_group)
        return RegexNode{RegexNode::Kind::sequence};  // nothing, with other flags behind it
      if (!accept(":")) return std::nullopt;
    }
    auto inner = choice(depth + 1);
    flags_ = outer;
    if (!inner || !accept(")")) return std::nullopt;
    return inner;
  }

  // One character or a property, inside or outside of brackets.
  bool escape(CharacterSet& set) {
    ++at_;
    if (at_ >= in_.size()) return false;
    const char c = in_[at_];
    constexpr std::string_view kNames = "nrtfae", kValues = "\n\r\t\f\a\x1B";
    if (const std::size_t known = kNames.find(c); known != std::string_view::npos) {
      ++at_;
      set.ranges.push_back(
          {static_cast<char32_t>(kValues[known]), static_cast<char32_t>(kValues[known])});
      return true;
    }
    if (c == 'p' || c == 'P') return property(c == 'P', set);
    if (c == 'x') return code_point(set);
    if (is_alphanumeric(c)) return false;
    return add_character(next_character(), set);
  }

  bool property(bool negated, CharacterSet& set) {
    const std::size_t end = in_.find('}', at_);
    if (end == std::string_view::npos || at_ + 1 >= in_.size() || in_[at_ + 1] != '{') return false;
    const auto bits = category_bits(in_.substr(at_ + 2, end - at_ - 2));
    if (!bits) return false;
    set.categories |= negated ? ~*bits : *bits;
    at_ = end + 1;
    return true;
  }

  bool code_point(CharacterSet& set) {
    ++at_;
    const bool braces = accept("{");
    std::uint32_t value = 0;
    std::size_t digits = 0;
    for (; at_ < in_.size() && is_hex(in_[at_]) && digits < (braces ? 6u : 2u); ++at_, ++digits) {
      const char c = in_[at_];
      value = value * 16 + static_cast<std::uint32_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    if (digits == 0 || (braces && !accept("}")) || value > 0x10FFFF) return false;
    return add_character(value, set);
  }

  std::optional<CharacterSet> bracket() {
    ++at_;
    CharacterSet set;
    set.negated = accept("^");
    for (bool first = true; at_ < in_.size(); first = false) {
      if (in_[at_] == ']' && !first) {
        ++at_;
        return set;
      }
      if (accept("\\S")) {
        const auto others = complement(white_space_ranges());
        set.ranges.insert(set.ranges.end(), others.begin(), others.end());
        continue;
      }
      if (looking_at("[:")) return std::nullopt;
      const std::size_t before = set.ranges.size();
      if (in_[at_] == '\\') {
        if (!escape(set)) return std::nullopt;
      } else {
        const char32_t c = next_character();
        set.ranges.push_back({c, c});
      }
      // A range, unless the '-' is the last member.
      if (!looking_at("-") || looking_at("-]")) continue;
      if (set.ranges.size() != before + 1 || flags_.ignore_case) return std::nullopt;
      ++at_;
      CharacterSet last;
      if (at_ >= in_.size()) return std::nullopt;
      if (in_[at_] == '\\') {
        if (!escape(last)) return std::nullopt;
      } else {
        const char32_t c = next_character();
        last.ranges.push_back({c, c});
      }
      if (last.ranges.size() != 1 || last.categories != 0 ||
          last.ranges[0].first < set.ranges.back().first) {
        return std::nullopt;
      }
      set.ranges.back().last = last.ranges[0].first;
    }
    return std::nullopt;
  }

  std::string_view in_;
  std::size_t at_ = 0;
  Flags flags_;
  std::vector<CharacterSet> sets_;
};

}  // namespace

bool RegexNode::can_be_empty() const {
  const auto empty = [](const RegexNode& part) { return part.can_be_empty(); };
  switch (kind) {
    case Kind::set:
      return false;
    case Kind::look:
      return true;
    case Kind::sequence:
      return std::all_of(parts.begin(), parts.end(), empty);
    case Kind::choice:
      return std::any_of(parts.begin(), parts.end(), empty);
    case Kind::repeat:
      return least == 0 || empty(parts[0]);
  }
  return true;
}

std::optional<RegexSyntax> RegexSyntax::parse(std::string_view pattern) {
  Parser parser(pattern);
  auto root = parser.parse();
  if (!root) return std::nullopt;
  return RegexSyntax{std::move(*root), parser.take_sets()};
}

}  // namespace llm::tokenizer
