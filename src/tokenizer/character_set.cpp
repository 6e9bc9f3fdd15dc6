#include "tokenizer/character_set.h"

#include <utf8proc.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "tokenizer/unicode_updates.h"

namespace llm::tokenizer {
namespace {

using Range = CharacterSet::Range;

constexpr char32_t kLast = 0x10FFFF;
constexpr std::size_t kMaxClasses = 250;

// In the order of utf8proc_category_t.
constexpr std::array<std::string_view, 30> kCategoryNames = {
    "Cn", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps",
    "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co"};

std::uint32_t category_bit(char32_t c) {
  const auto older = static_cast<utf8proc_int32_t>(older_equivalent(c));
  return std::uint32_t{1} << utf8proc_category(older);
}

// Where the category changes: the first character of each run of one category.
struct CategoryRun {
  char32_t first;
  std::uint32_t bit;
};

const std::vector<CategoryRun>& category_runs() {
  static const auto* const kRuns = new std::vector<CategoryRun>([] {
    std::vector<CategoryRun> runs;
    for (char32_t c = 0; c <= kLast; ++c) {
      const std::uint32_t bit = category_bit(c);
      if (runs.empty() || runs.back().bit != bit) runs.push_back({c, bit});
    }
    return runs;
  }());
  return *kRuns;
}

bool in_ranges(const std::vector<Range>& ranges, char32_t c) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [c](const Range& range) { return range.first <= c && c <= range.last; });
}

bool contains(const CharacterSet& set, char32_t c, std::uint32_t category) {
  return ((set.categories & category) != 0 || in_ranges(set.ranges, c)) != set.negated;
}

}  // namespace

bool CharacterSet::contains(char32_t c) const {
  return tokenizer::contains(*this, c, category_bit(c));
}

std::optional<std::uint32_t> category_bits(std::string_view name) {
  if (name == "Any") return ~std::uint32_t{0};
  std::uint32_t bits = 0;
  if (name.empty()) return std::nullopt;
  for (std::size_t at = 0; at < kCategoryNames.size(); ++at) {
    const std::string_view category = kCategoryNames[at];
    if (category == name || (name.size() == 1 && category.starts_with(name))) bits |= 1u << at;
  }
  return bits != 0 ? std::optional(bits) : std::nullopt;
}

const std::vector<Range>& white_space_ranges() {
  static const auto* const kRanges = new std::vector<Range>{
      {0x09, 0x0D},     {0x20, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
      {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};
  return *kRanges;
}

std::vector<Range> complement(const std::vector<Range>& ranges) {
  std::vector<Range> result;
  char32_t next = 0;
  for (const Range& range : ranges) {
    if (next < range.first) result.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLast) result.push_back({next, kLast});
  return result;
}

std::optional<CharacterClasses> CharacterClasses::build(const std::vector<CharacterSet>& sets) {
  if (sets.size() > 64) return std::nullopt;
  // Between two of these characters nothing changes.
  std::vector<char32_t> borders;
  for (const CategoryRun& run : category_runs()) borders.push_back(run.first);
  for (const CharacterSet& set : sets) {
    for (const Range& range : set.ranges) {
      borders.push_back(range.first);
      borders.push_back(range.last + 1);
    }
  }
  std::sort(borders.begin(), borders.end());
  borders.erase(std::unique(borders.begin(), borders.end()), borders.end());

  CharacterClasses classes;
  std::map<std::uint64_t, std::uint8_t> numbers;
  std::vector<std::uint8_t> flat(kCharacters);
  auto run = category_runs().begin();
  for (std::size_t at = 0; at < borders.size() && borders[at] <= kLast; ++at) {
    const char32_t first = borders[at];
    const std::size_t end = at + 1 < borders.size() ? borders[at + 1] : kCharacters;
    while (run + 1 != category_runs().end() && (run + 1)->first <= first) ++run;
    std::uint64_t member = 0;
    for (std::size_t set = 0; set < sets.size(); ++set) {
      if (contains(sets[set], first, run->bit)) member |= std::uint64_t{1} << set;
    }
    auto [number, added] = numbers.try_emplace(member, static_cast<std::uint8_t>(numbers.size()));
    if (added) {
      if (numbers.size() > kMaxClasses) return std::nullopt;
      classes.members_.push_back(member);
    }
    std::fill(flat.begin() + static_cast<std::ptrdiff_t>(first),
              flat.begin() + static_cast<std::ptrdiff_t>(std::min(end, kCharacters)),
              number->second);
  }

  std::map<std::string_view, std::uint16_t> pages;
  for (std::size_t page = 0; page < kCharacters / kPage; ++page) {
    const auto* const begin = flat.data() + page * kPage;
    const std::string_view bytes(reinterpret_cast<const char*>(begin), kPage);
    const auto [place, added] = pages.try_emplace(bytes, static_cast<std::uint16_t>(pages.size()));
    if (added) classes.pages_.insert(classes.pages_.end(), begin, begin + kPage);
    classes.index_[page] = place->second;
  }
  return classes;
}

}  // namespace llm::tokenizer
