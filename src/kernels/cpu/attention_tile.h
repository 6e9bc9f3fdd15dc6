// What attention does with a block of pages: products of queries with its keys, and weighted sums
// of its values.
// Included after isa.h.
#pragma once

#include "kernels/cpu/attention_rows.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

/// One kv head's share of the pages of a block; those that no query sees are null.
template <class Kv>
struct Block {
  using Element = typename Kv::Element;
  const std::byte* const (&heads)[kBlockPages];
  HeadLayout at;

  const Element* keys(int page) const { return reinterpret_cast<const Element*>(heads[page]); }
  const Element* values(int page) const {
    return reinterpret_cast<const Element*>(heads[page] + at.values);
  }
  /// Of the group that component d of a key lies in, one per position; of a value.
  const float* key_scales(int page, std::int64_t d) const {
    return scales(heads[page] + at.key_scales, d);
  }
  const float* value_scales(int page, std::int64_t d) const {
    return scales(heads[page] + at.value_scales, d);
  }

 private:
  static const float* scales(const std::byte* first, std::int64_t d) {
    return reinterpret_cast<const float*>(first) + d / kQuantBlock * kPage;
  }
};

/// Queries that see the same positions of a block, from number `first` on.
struct QueryTile {
  const AttentionArgs* args;
  const AttentionRow* rows;
  int kv_head;
  std::int64_t first;
  Visible seen;

  const float* q(std::int64_t query) const { return query_of(*args, rows, kv_head, query); }
};

/// dots[n] += q . k over components [begin, end), for the 2 * kLanes positions from `keys` on,
/// which points to component `begin`.
template <class Kv, int kQueries>
LLM_INLINE void dot_components(const float* const* q, int begin, int end,
                               const typename Kv::Element* keys, F32 (&dots)[kQueries][2]) {
  for (int d = begin; d < end; ++d, keys += kPage) {
    const F32 k0 = Kv::read(keys);
    const F32 k1 = Kv::read(keys + kLanes);
    LLM_UNROLL
    for (int n = 0; n < kQueries; ++n) {
      const F32 component = splat(q[n][d]);
      dots[n][0] = mul_add(component, k0, dots[n][0]);
      dots[n][1] = mul_add(component, k1, dots[n][1]);
    }
  }
}

/// weights[n][position] = q . k for all positions of a page.
template <class Kv, int kQueries>
LLM_INLINE void dot_keys(const float* const* q, int k_dim, const Block<Kv>& block, int page,
                         float* weights) {
  for (int v = 0; v < kPageVectors; v += 2) {
    F32 dots[kQueries][2];
    LLM_UNROLL
    for (int n = 0; n < kQueries; ++n) dots[n][0] = dots[n][1] = zero();
    const typename Kv::Element* keys = block.keys(page) + v * kLanes;
    if constexpr (Kv::kScaled) {
      for (int begin = 0; begin < k_dim; begin += kQuantBlock) {
        const int end = begin + kQuantBlock < k_dim ? begin + kQuantBlock : k_dim;
        F32 group[kQueries][2];
        LLM_UNROLL
        for (int n = 0; n < kQueries; ++n) group[n][0] = group[n][1] = zero();
        dot_components<Kv, kQueries>(q, begin, end, keys + begin * kPage, group);
        const float* scales = block.key_scales(page, begin) + v * kLanes;
        LLM_UNROLL
        for (int n = 0; n < kQueries; ++n) {
          dots[n][0] = mul_add(group[n][0], load(scales), dots[n][0]);
          dots[n][1] = mul_add(group[n][1], load(scales + kLanes), dots[n][1]);
        }
      }
    } else {
      dot_components<Kv, kQueries>(q, 0, k_dim, keys, dots);
    }
    LLM_UNROLL
    for (int n = 0; n < kQueries; ++n) {
      store(weights + n * kBlock + v * kLanes, dots[n][0]);
      store(weights + n * kBlock + (v + 1) * kLanes, dots[n][1]);
    }
  }
}

/// sums = sums * rescale + weights . values, over kVectors registers of features from `d` on and
/// the visible positions in rising order. Values at other positions are not read. The features lie
/// in one group of components.
template <class Kv, int kQueries, int kVectors>
LLM_INLINE void add_values(const QueryTile& tile, const Block<Kv>& block, std::int64_t d,
                           std::int64_t v_stride, const float* weights, const float* rescale,
                           float* sums) {
  static_assert(kQuantBlock % (kVectors * kLanes) == 0);
  F32 total[kQueries][kVectors];
  LLM_UNROLL
  for (int n = 0; n < kQueries; ++n) {
    LLM_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      total[n][v] = load(sums + n * v_stride + v * kLanes) * splat(rescale[n]);
    }
  }
  for (int page = tile.seen.first_page(); page < tile.seen.end_page(); ++page) {
    const int start = page * kPage;
    const int low = tile.seen.low > start ? tile.seen.low : start;
    const int high = tile.seen.high < start + kPage ? tile.seen.high : start + kPage;
    const typename Kv::Element* values = block.values(page) + d;
    [[maybe_unused]] const float* scales = block.value_scales(page, d);
    for (int position = low; position < high; ++position) {
      F32 value[kVectors];
      LLM_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        value[v] = Kv::read(values + (position - start) * v_stride + v * kLanes);
        if constexpr (Kv::kScaled) value[v] = value[v] * splat(scales[position - start]);
      }
      LLM_UNROLL
      for (int n = 0; n < kQueries; ++n) {
        const F32 weight = splat(weights[n * kBlock + position]);
        LLM_UNROLL
        for (int v = 0; v < kVectors; ++v) total[n][v] = mul_add(weight, value[v], total[n][v]);
      }
    }
  }
  LLM_UNROLL
  for (int n = 0; n < kQueries; ++n) {
    LLM_UNROLL
    for (int v = 0; v < kVectors; ++v) store(sums + n * v_stride + v * kLanes, total[n][v]);
  }
}

/// The same for values that are the first v_dim components of the keys: a feature lies across the
/// lanes, so each is the sum of a product of registers. What lies at positions that are not visible
/// counts as zero.
template <class Kv, int kQueries>
void add_key_values(const QueryTile& tile, const Block<Kv>& block, std::int64_t v_stride,
                    const float* weights, const float* rescale, float* sums) {
  for (std::int64_t d = 0; d < tile.args->kv.v_dim; ++d) {
    F32 total[kQueries];
    LLM_UNROLL
    for (int n = 0; n < kQueries; ++n) total[n] = zero();
    for (int page = tile.seen.first_page(); page < tile.seen.end_page(); ++page) {
      for (int v = 0; v < kPageVectors; ++v) {
        const int at = page * kPage + v * kLanes;
        F32 read = Kv::read(block.keys(page) + d * kPage + v * kLanes);
        if constexpr (Kv::kScaled) read = read * load(block.key_scales(page, d) + v * kLanes);
        const F32 value = if_visible(read, at, tile.seen.low, tile.seen.high, zero());
        LLM_UNROLL
        for (int n = 0; n < kQueries; ++n) {
          total[n] = mul_add(load(weights + n * kBlock + at), value, total[n]);
        }
      }
    }
    LLM_UNROLL
    for (int n = 0; n < kQueries; ++n) {
      float& sum = sums[n * v_stride + d];
      sum = sum * rescale[n] + sum_lanes(total[n]);
    }
  }
}

}  // namespace
}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
