#include "tokenizer/unicode_classes.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <vector>

#include "core/error.h"
#include "tokenizer/unicode_updates.h"
#include "tokenizer/utf8.h"

namespace llm::tokenizer {
namespace {

utf8proc_category_t category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

// Other_Alphabetic characters that are neither letters, marks nor numbers: circled and squared
// Latin letters (general category So).
bool is_alphabetic_symbol(char32_t c) {
  return (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
         (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
}

// The longest decomposition of one character (U+FDFA) has 18.
constexpr utf8proc_ssize_t kMaxDecomposition = 32;

// As of Unicode 9, which Hugging Face's normalisers use.
int combining_class(utf8proc_int32_t c) {
  if (c < 0x300) return 0;
  const int value = utf8proc_get_property(c)->combining_class;
  return value != 0 && is_newer_mark(static_cast<char32_t>(c)) ? 0 : value;
}

// Ranges of characters that NFC leaves alone whatever is around them (their combining class is 0,
// and none is the second part of a composition): enough of them to pass over most text quickly.
struct Range {
  char32_t first, last;
};
constexpr std::array<Range, 13> kInert = {{{0x400, 0x482},
                                           {0x48A, 0x52F},
                                           {0x2010, 0x2027},
                                           {0x2030, 0x205E},
                                           {0x2500, 0x27BF},
                                           {0x3001, 0x3029},
                                           {0x3041, 0x3094},
                                           {0x30A1, 0x30FA},
                                           {0x3400, 0x4DBF},
                                           {0x4E00, 0x9FFF},
                                           {0xAC00, 0xD7A3},
                                           {0xFF01, 0xFF5E},
                                           {0x1F300, 0x1FAFF}}};

bool is_inert_nfc(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text[at]);
    const char32_t c = decode_valid_utf8(text.data() + at, length);
    at += length;
    if (c < 0x300) continue;
    const auto range = std::partition_point(kInert.begin(), kInert.end(),
                                            [c](const Range& one) { return one.last < c; });
    if (range == kInert.end() || c < range->first) return false;
  }
  return true;
}

}  // namespace

bool is_white_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r');
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_punctuation(char32_t c) {
  if (c < 0x80) {
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
  }
  // Two characters that were punctuation in Unicode 8.
  if (c == 0x166D || c == 0x111C9) return true;
  const utf8proc_category_t kind = category(c);
  return kind >= UTF8PROC_CATEGORY_PC && kind <= UTF8PROC_CATEGORY_PO && !is_newer_punctuation(c);
}

bool is_combining_mark(char32_t c) {
  if (c < 0x300) return false;
  const utf8proc_category_t kind = category(c);
  const bool mark = kind == UTF8PROC_CATEGORY_MN || kind == UTF8PROC_CATEGORY_MC ||
                    kind == UTF8PROC_CATEGORY_ME || c == 0x1CF2 || c == 0x1CF3;
  return mark && !is_newer_mark(c);
}

bool is_word(char32_t c) {
  switch (category(older_equivalent(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return is_alphabetic_symbol(c) || c == 0x200C || c == 0x200D;
  }
}

void append_lowercase(std::string& out, char32_t c) {
  const char32_t newer = newer_lowercase(c);
  append_utf8(out, newer != c
                       ? newer
                       : static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
  // The only unconditional lower-case mapping to two characters.
  if (c == 0x130) append_utf8(out, 0x307);
}

Result<std::string> normalize(std::string_view text, NormalForm form) {
  if (is_ascii(text) || (form == NormalForm::nfc && is_inert_nfc(text))) return std::string(text);
  const bool compose = form == NormalForm::nfc || form == NormalForm::nfkc;
  const bool compatible = form == NormalForm::nfkc || form == NormalForm::nfkd;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE |
                                                      (compatible ? UTF8PROC_COMPAT : 0));
  std::vector<utf8proc_int32_t> chars;
  chars.reserve(text.size());
  // Marks are put into canonical order by a stable sort of each run: utf8proc_map() would take
  // quadratic time on a long run.
  std::size_t marks = 0;  // how many of the last `chars` are marks
  const auto order_marks = [&chars, &marks] {
    const auto by_class = [](utf8proc_int32_t a, utf8proc_int32_t b) {
      return combining_class(a) < combining_class(b);
    };
    if (marks > 1) {
      std::stable_sort(chars.end() - static_cast<std::ptrdiff_t>(marks), chars.end(), by_class);
    }
    marks = 0;
  };
  std::array<utf8proc_int32_t, kMaxDecomposition> parts{};
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text[at]);
    const char32_t c = decode_valid_utf8(text.data() + at, length);
    at += length;
    if (c < 0x80 || is_newer_composite(c)) {
      order_marks();
      chars.push_back(static_cast<utf8proc_int32_t>(c));
      continue;
    }
    int boundary = 0;
    const utf8proc_ssize_t count = utf8proc_decompose_char(
        static_cast<utf8proc_int32_t>(c), parts.data(), kMaxDecomposition, options, &boundary);
    if (count < 0 || count > kMaxDecomposition) {
      return core::internal_error("normalisation of U+{:04X} failed", static_cast<unsigned>(c));
    }
    for (utf8proc_ssize_t part = 0; part < count; ++part) {
      const utf8proc_int32_t one = parts[static_cast<std::size_t>(part)];
      if (combining_class(one) == 0) {
        order_marks();
        chars.push_back(one);
      } else {
        chars.push_back(one);
        ++marks;
      }
    }
  }
  order_marks();
  auto size = static_cast<utf8proc_ssize_t>(chars.size());
  if (compose) {
    size = utf8proc_normalize_utf32(
        chars.data(), size, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    if (size < 0) return core::internal_error("normalisation failed: {}", utf8proc_errmsg(size));
  }
  std::string out;
  out.reserve(text.size());
  for (utf8proc_ssize_t at = 0; at < size; ++at) {
    append_utf8(out, static_cast<char32_t>(chars[static_cast<std::size_t>(at)]));
  }
  return out;
}

}  // namespace llm::tokenizer
