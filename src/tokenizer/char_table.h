// CharTable: numbers by character, for tables in which most characters have none. Not thread-safe
// while it is filled; then any thread may read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace llm::tokenizer {

class CharTable {
 public:
  CharTable() : pages_(kPage, -1) {}

  /// -1 where nothing was set.
  std::int32_t operator[](char32_t c) const {
    return pages_[std::size_t{index_[c / kPage]} * kPage + c % kPage];
  }
  void set(char32_t c, std::int32_t value) {
    std::uint16_t& page = index_[c / kPage];
    if (page == 0) {
      page = static_cast<std::uint16_t>(pages_.size() / kPage);
      pages_.resize(pages_.size() + kPage, -1);
    }
    pages_[std::size_t{page} * kPage + c % kPage] = value;
  }

 private:
  static constexpr std::size_t kPage = 256;
  std::array<std::uint16_t, 0x110000 / kPage> index_{};  // page 0 is empty
  std::vector<std::int32_t> pages_;
};

}  // namespace llm::tokenizer
