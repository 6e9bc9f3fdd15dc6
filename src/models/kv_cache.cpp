#include "models/kv_cache.h"

#include "core/error.h"

namespace llm::models {

Result<KvCache> KvCache::create(const kernels::Ops& ops, kernels::KvShape shape,
                                std::int64_t n_layers, std::int64_t n_pages) {
  KvCache cache;
  cache.shape_ = shape;
  cache.n_pages_ = n_pages;
  cache.page_bytes_ = ops.kv_page_bytes(shape);
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(cache.page_bytes_, static_cast<std::size_t>(n_layers), &bytes) ||
      __builtin_mul_overflow(bytes, static_cast<std::size_t>(n_pages), &bytes)) {
    return core::resource_exhausted("KV cache: {} pages of {} bytes in {} layers overflow", n_pages,
                                    cache.page_bytes_, n_layers);
  }
  LLM_ASSIGN_OR_RETURN(cache.storage_, core::AlignedBuffer::allocate(bytes, "KV cache"));
  return cache;
}

std::size_t KvCache::bytes_for(const kernels::Ops& ops, const kernels::KvShape& shape,
                               std::int64_t n_layers, std::int64_t n_pages) {
  return core::AlignedBuffer::footprint(ops.kv_page_bytes(shape) *
                                        static_cast<std::size_t>(n_layers * n_pages));
}

}  // namespace llm::models
