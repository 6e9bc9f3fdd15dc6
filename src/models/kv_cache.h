// KvCache: keys and values of all layers, in pages of kernels::kKvPageTokens positions. A page id
// names the same page in every layer; which sequence owns it is the caller's business. Memory is
// reserved at construction and becomes resident as pages are first written. Not thread-safe: writes
// of one step go to distinct slots.
#pragma once

#include <cstdint>

#include "core/aligned_buffer.h"
#include "kernels/kernels.h"
#include "llm/status.h"

namespace llm::models {

class KvCache {
 public:
  static Result<KvCache> create(const kernels::Ops& ops, kernels::KvShape shape,
                                std::int64_t n_layers, std::int64_t n_pages);
  /// bytes() of a cache like that, without making one.
  static std::size_t bytes_for(const kernels::Ops& ops, const kernels::KvShape& shape,
                               std::int64_t n_layers, std::int64_t n_pages);

  const kernels::KvShape& shape() const { return shape_; }
  std::int64_t pages() const { return n_pages_; }
  /// Memory once every page has been written.
  std::size_t bytes() const { return core::AlignedBuffer::footprint(storage_.size()); }

  /// All pages of one layer: page p starts at p * page_bytes().
  std::byte* layer(std::int64_t layer) {
    return storage_.data() + static_cast<std::size_t>(layer * n_pages_) * page_bytes_;
  }
  std::size_t page_bytes() const { return page_bytes_; }  ///< of one layer

 private:
  KvCache() = default;

  kernels::KvShape shape_;
  std::int64_t n_pages_ = 0;
  std::size_t page_bytes_ = 0;
  core::AlignedBuffer storage_;
};

}  // namespace llm::models
