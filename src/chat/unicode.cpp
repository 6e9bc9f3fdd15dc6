#include "chat/unicode.h"

#include <utf8proc.h>

#include <algorithm>

#include "core/utf8.h"

namespace llm::chat {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

struct SpecialCase {
  char32_t point;
  std::u32string_view upper;
  std::u32string_view lower;
  std::u32string_view title;
};

#include "chat/unicode_tables.inc"

template <std::size_t N>
bool in_table(const Range (&table)[N], char32_t c) {
  const auto* after =
      std::upper_bound(std::begin(table), std::end(table), c,
                       [](char32_t point, const Range& range) { return point < range.first; });
  return after != std::begin(table) && c <= std::prev(after)->last;
}

const SpecialCase* special_case(char32_t c) {
  if (c < 0x80) return nullptr;
  const auto* found = std::lower_bound(
      std::begin(kSpecialCases), std::end(kSpecialCases), c,
      [](const SpecialCase& entry, char32_t point) { return entry.point < point; });
  return found != std::end(kSpecialCases) && found->point == c ? found : nullptr;
}

utf8proc_category_t category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

bool is_cased(char32_t c) { return is_lowercase(c) || is_uppercase(c) || is_titlecase(c); }

// Unicode's Case_Ignorable.
bool is_case_ignorable(char32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      break;
  }
  constexpr char32_t kWordMiddles[] = {
      0x27,   0x2E,   0x3A,   0xB7,   0x387,  0x55F,  0x5F4,  0x2018, 0x2019,
      0x2024, 0x2027, 0xFE13, 0xFE52, 0xFE55, 0xFF07, 0xFF0E, 0xFF1A,
  };
  return std::find(std::begin(kWordMiddles), std::end(kWordMiddles), c) != std::end(kWordMiddles);
}

// A capital sigma at the end of a word becomes the final form.
char32_t lower_sigma(const std::vector<char32_t>& text, std::size_t at) {
  std::size_t before = at;
  while (before > 0 && is_case_ignorable(text[before - 1])) --before;
  if (before == 0 || !is_cased(text[before - 1])) return 0x3C3;
  std::size_t after = at + 1;
  while (after < text.size() && is_case_ignorable(text[after])) ++after;
  return after == text.size() || !is_cased(text[after]) ? 0x3C2 : 0x3C3;
}

enum class Case { upper, lower, title };

void append_mapped(std::string& out, const std::vector<char32_t>& text, std::size_t at, Case to) {
  const char32_t c = text[at];
  if (c < 0x80) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const char32_t mapped = !is_letter ? c : to == Case::lower ? c | 0x20U : c & ~char32_t{0x20};
    out += static_cast<char>(mapped);
    return;
  }
  if (const SpecialCase* special = special_case(c)) {
    for (const char32_t mapped : to == Case::upper   ? special->upper
                                 : to == Case::lower ? special->lower
                                                     : special->title) {
      core::append_utf8(out, mapped);
    }
    return;
  }
  const auto point = static_cast<utf8proc_int32_t>(c);
  if (to == Case::lower && c == 0x3A3) {
    core::append_utf8(out, lower_sigma(text, at));
  } else {
    core::append_utf8(out, static_cast<char32_t>(to == Case::upper   ? utf8proc_toupper(point)
                                                 : to == Case::lower ? utf8proc_tolower(point)
                                                                     : utf8proc_totitle(point)));
  }
}

std::string map_all(std::string_view text, Case to) {
  const std::vector<char32_t> points = code_points(text);
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < points.size(); ++at) append_mapped(out, points, at, to);
  return out;
}

}  // namespace

bool is_space(char32_t c) {
  if (c < 0x80) return (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x20);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_line_end(char32_t c) {
  return (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

bool is_printable(char32_t c) {
  if (c < 0x7F) return c >= 0x20;
  switch (category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

bool is_alphabetic(char32_t c) {
  const utf8proc_category_t found = category(c);
  return found >= UTF8PROC_CATEGORY_LU && found <= UTF8PROC_CATEGORY_LO;
}

bool is_decimal(char32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; }

bool is_digit(char32_t c) { return is_decimal(c) || in_table(kOtherDigit, c); }

bool is_numeric(char32_t c) {
  const utf8proc_category_t found = category(c);
  return (found >= UTF8PROC_CATEGORY_ND && found <= UTF8PROC_CATEGORY_NO) ||
         in_table(kOtherNumeric, c);
}

bool is_alphanumeric(char32_t c) { return is_alphabetic(c) || is_numeric(c); }

bool is_lowercase(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LL || in_table(kOtherLowercase, c);
}

bool is_uppercase(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LU || in_table(kOtherUppercase, c);
}

bool is_titlecase(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LT; }

bool may_start_identifier(char32_t c) {
  return c == '_' || is_alphabetic(c) || category(c) == UTF8PROC_CATEGORY_NL;
}

bool may_continue_identifier(char32_t c) {
  const utf8proc_category_t found = category(c);
  return may_start_identifier(c) || found == UTF8PROC_CATEGORY_ND ||
         found == UTF8PROC_CATEGORY_MN || found == UTF8PROC_CATEGORY_MC ||
         found == UTF8PROC_CATEGORY_PC;
}

std::string to_upper(std::string_view text) { return map_all(text, Case::upper); }

std::string to_lower(std::string_view text) { return map_all(text, Case::lower); }

std::string to_title(std::string_view text) {
  const std::vector<char32_t> points = code_points(text);
  std::string out;
  bool inside_word = false;
  for (std::size_t at = 0; at < points.size(); ++at) {
    append_mapped(out, points, at, inside_word ? Case::lower : Case::title);
    inside_word = is_cased(points[at]);
  }
  return out;
}

std::string capitalize(std::string_view text) {
  const std::vector<char32_t> points = code_points(text);
  std::string out;
  for (std::size_t at = 0; at < points.size(); ++at) {
    append_mapped(out, points, at, at == 0 ? Case::title : Case::lower);
  }
  return out;
}

std::string swap_case(std::string_view text) {
  const std::vector<char32_t> points = code_points(text);
  std::string out;
  for (std::size_t at = 0; at < points.size(); ++at) {
    if (is_uppercase(points[at])) {
      append_mapped(out, points, at, Case::lower);
    } else if (is_lowercase(points[at])) {
      append_mapped(out, points, at, Case::upper);
    } else {
      core::append_utf8(out, points[at]);
    }
  }
  return out;
}

std::string fold_case(std::string_view text) {
  std::string out;
  for (const char32_t c : code_points(text)) {
    utf8proc_int32_t folded[8];
    int last = 0;
    const utf8proc_ssize_t count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), folded,
                                                           8, UTF8PROC_CASEFOLD, &last);
    for (utf8proc_ssize_t i = 0; i < count; ++i) {
      core::append_utf8(out, static_cast<char32_t>(folded[i]));
    }
  }
  return out;
}

std::vector<char32_t> code_points(std::string_view text) {
  std::vector<char32_t> points;
  points.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = core::utf8_length(text[at]);
    points.push_back(core::decode_valid_utf8(text.data() + at, length));
    at += length;
  }
  return points;
}

std::string from_code_points(const std::vector<char32_t>& points) {
  std::string out;
  for (const char32_t c : points) core::append_utf8(out, c);
  return out;
}

std::size_t byte_offset(std::string_view text, std::size_t index) {
  std::size_t at = 0;
  while (index > 0 && at < text.size()) {
    at += core::utf8_length(text[at]);
    --index;
  }
  return at;
}

std::string_view strip_left(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = core::utf8_length(text.front());
    if (!is_space(core::decode_valid_utf8(text.data(), length))) break;
    text.remove_prefix(length);
  }
  return text;
}

std::string_view strip_right(std::string_view text) {
  while (!text.empty()) {
    std::size_t begin = text.size() - 1;
    while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80U) --begin;
    const std::size_t length = text.size() - begin;
    if (!is_space(core::decode_valid_utf8(text.data() + begin, length))) break;
    text.remove_suffix(length);
  }
  return text;
}

}  // namespace llm::chat
