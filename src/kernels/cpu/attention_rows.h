// What every attention over pages shares: which positions a row sees, the walk over sequences and
// blocks of pages, and the online softmax (Milakov and Gimelshein 2018) with its state per query.
// A query is one head of one row; queries are numbered row by row.
// Included after isa.h.
#pragma once

#include "kernels/cpu/backend.h"
#include "kernels/cpu/kv_page.h"
#include "kernels/cpu/math.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

/// Positions that the online softmax takes at a time, from multiples of it on.
constexpr int kBlockPages = 4;
constexpr int kBlock = kBlockPages * kPage;

inline std::int64_t round_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

inline int group_of(const AttentionArgs& args) { return args.n_heads / args.kv.n_kv_heads; }

/// (k_dim) components of a query.
inline const float* query_of(const AttentionArgs& args, const AttentionRow* rows, int kv_head,
                             std::int64_t query) {
  const std::int64_t group = group_of(args);
  return rows[query / group].q + (kv_head * group + query % group) * args.kv.k_dim;
}

// ---- Positions ----------------------------------------------------------------------------------

inline std::int64_t first_visible(const AttentionArgs& args, const AttentionRow& row) {
  const std::int64_t first = args.window > 0 ? row.position - args.window + 1 : 0;
  return first > 0 ? first : 0;
}

/// Positions [low, high) of a block, none if low >= high.
struct Visible {
  int low, high;
  int first_page() const { return low / kPage; }
  int end_page() const { return (high + kPage - 1) / kPage; }
  bool operator==(const Visible& other) const { return low == other.low && high == other.high; }
};

inline int clamp_to_block(std::int64_t position) {
  return static_cast<int>(position < 0 ? 0 : position > kBlock ? kBlock : position);
}

/// What the row sees of the block at position `start`.
inline Visible visible(const AttentionArgs& args, const AttentionRow& row, std::int64_t start) {
  return {clamp_to_block(first_visible(args, row) - start),
          clamp_to_block(row.position + 1 - start)};
}

/// x where low <= position < high, else `otherwise`; the lanes are positions from `first` on.
LLM_INLINE F32 if_visible(F32 x, int first, int low, int high, F32 otherwise) {
  constexpr float kLane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  if (low <= first && first + kLanes <= high) return x;
  const F32 position = load(kLane) + splat(static_cast<float>(first));
  x = if_less(position, splat(static_cast<float>(low)), otherwise, x);
  return if_less(position, splat(static_cast<float>(high)), x, otherwise);
}

// ---- Walks --------------------------------------------------------------------------------------

/// Calls body(begin, end) for runs of rows that belong to one sequence.
template <class Body>
LLM_INLINE void for_each_sequence(const AttentionRow* rows, std::int64_t n_rows, Body body) {
  for (std::int64_t begin = 0; begin < n_rows;) {
    std::int64_t end = begin + 1;
    while (end < n_rows && rows[end].pages == rows[begin].pages) ++end;
    body(begin, end);
    begin = end;
  }
}

/// One kv head's share of the pages of a block; those that no row sees are null.
struct BlockPages {
  std::int64_t start;  // position
  const std::byte* heads[kBlockPages];
};

/// Calls body(pages) for every block that one of the rows [begin, end) of a sequence sees.
template <class Body>
LLM_INLINE void for_each_block(const AttentionArgs& args, const AttentionRow* rows,
                               std::int64_t begin, std::int64_t end, int kv_head,
                               std::int64_t head_bytes, Body body) {
  const std::int64_t page_bytes = args.kv.n_kv_heads * head_bytes;
  std::int64_t first = first_visible(args, rows[begin]);
  std::int64_t last = rows[begin].position;
  for (std::int64_t r = begin + 1; r < end; ++r) {
    const std::int64_t row_first = first_visible(args, rows[r]);
    if (row_first < first) first = row_first;
    if (rows[r].position > last) last = rows[r].position;
  }
  for (std::int64_t start = first / kBlock * kBlock; start <= last; start += kBlock) {
    BlockPages pages{.start = start, .heads = {}};
    for (int n = 0; n < kBlockPages; ++n) {
      const std::int64_t position = start + n * kPage;
      if (position > last || position + kPage <= first) continue;
      pages.heads[n] =
          args.layer + rows[begin].pages[position / kPage] * page_bytes + kv_head * head_bytes;
    }
    body(pages);
  }
}

// ---- Softmax ------------------------------------------------------------------------------------

/// State of the online softmax of every query of a call.
struct QueryStates {
  float* sums;     // (queries, padded v_dim): of weights times values
  float* largest;  // (queries): of the logits
  float* total;    // (queries): of the weights
};

inline std::int64_t max_queries(const AttentionArgs& args) {
  return kAttentionRowTile * group_of(args);
}

/// Floats of the states of all queries of a call, a multiple of 16.
inline std::int64_t state_floats(const AttentionArgs& args) {
  return max_queries(args) * padded_v_dim(args.kv) + 2 * round_up(max_queries(args), 16);
}

inline QueryStates cut_states(const AttentionArgs& args, float* memory) {
  QueryStates states;
  states.sums = memory;
  states.largest = memory + max_queries(args) * padded_v_dim(args.kv);
  states.total = states.largest + round_up(max_queries(args), 16);
  return states;
}

inline void start_queries(const AttentionArgs& args, std::int64_t queries,
                          const QueryStates& states) {
  const std::int64_t v_stride = padded_v_dim(args.kv);
  for (std::int64_t n = 0; n < queries; ++n) {
    states.largest[n] = -__builtin_inff();
    states.total[n] = 0;
  }
  for (std::int64_t d = 0; d < queries * v_stride; d += kLanes) store(states.sums + d, zero());
}

/// Turns one query's dot products with the pages it sees, `logits` of a block, into weights
/// (exactly 0 where a position is not visible), which `take` gets a register at a time together
/// with the first position; moves the query's running maximum and total on; returns the factor for
/// what was summed before.
template <class Take>
LLM_INLINE float online_softmax(const AttentionArgs& args, const Visible& seen, float* logits,
                                float& largest, float& total, Take take) {
  const int begin = seen.first_page() * kPage;
  const int end = seen.end_page() * kPage;
  const F32 nothing = splat(-__builtin_inff());
  F32 block_largest = splat(largest);
  for (int at = begin; at < end; at += kLanes) {
    F32 x = load(logits + at) * splat(args.scale);
    if (args.softcap > 0) x = splat(args.softcap) * tanh_f32(x / splat(args.softcap));
    x = if_visible(x, at, seen.low, seen.high, nothing);
    store(logits + at, x);
    block_largest = larger(x, block_largest);
  }
  const float new_largest = largest_lane(block_largest);
  F32 block_total = zero();
  for (int at = begin; at < end; at += kLanes) {
    const F32 weight = exp_f32(load(logits + at) - splat(new_largest));
    take(at, weight);
    block_total = block_total + weight;
  }
  float factor = 1;  // e^0, most of the time
  if (largest != new_largest) {
    float factors[kLanes];
    store(factors, exp_f32(splat(largest - new_largest)));
    factor = factors[0];
  }
  largest = new_largest;
  total = total * factor + sum_lanes(block_total);
  return factor;
}

inline void write_outputs(const AttentionArgs& args, const AttentionRow* rows, std::int64_t n_rows,
                          int kv_head, const QueryStates& states) {
  const std::int64_t group = group_of(args);
  const std::int64_t v_dim = args.kv.v_dim;
  const std::int64_t v_stride = padded_v_dim(args.kv);
  for (std::int64_t query = 0; query < n_rows * group; ++query) {
    float* out = rows[query / group].out + (kv_head * group + query % group) * v_dim;
    const float* sums = states.sums + query * v_stride;
    const F32 total = splat(states.total[query]);
    for (std::int64_t d = 0; d < v_dim; d += kLanes) {
      const F32 x = load(sums + d) / total;
      if (v_dim - d >= kLanes) {
        store(out + d, x);
      } else {
        store_partial(out + d, x, v_dim - d);
      }
    }
  }
}

}  // namespace
}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
