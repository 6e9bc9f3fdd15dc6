// Attention over the paged cache, whose layout kv_page.h describes: for logits the lanes are
// positions and each is a sum over k_dim; for outputs the lanes are features and each is a sum over
// positions.
// Queries are handled a block of pages at a time, several together where they see the same
// positions of it; each keeps its own running maximum, total and sums, so that its result is the
// same as alone.
#include "kernels/cpu/isa.h"
//
#include "kernels/cpu/attention_tile.h"
#include "kernels/cpu/backend.h"
#include "kernels/cpu/math.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

// ---- Scratch of one call ------------------------------------------------------------------------

/// State of the online softmax of every query, and the block's weights of the queries in hand.
/// A query is one head of one row; queries are numbered row by row.
struct Scratch {
  float* sums;     // (queries, padded v_dim)
  float* largest;  // (queries)
  float* total;    // (queries)
  float* weights;  // (kQueryTile, kBlock)
  float* rescale;  // (kQueryTile)
};

std::int64_t round_up_floats(std::int64_t n) { return (n + 15) / 16 * 16; }

std::int64_t max_queries(const AttentionArgs& args) {
  return kAttentionRowTile * (args.n_heads / args.kv.n_kv_heads);
}

std::int64_t scratch_floats(const AttentionArgs& args) {
  const std::int64_t queries = max_queries(args);
  return queries * padded_v_dim(args.kv) + 2 * round_up_floats(queries) + kQueryTile * kBlock +
         round_up_floats(kQueryTile);
}

Scratch cut_scratch(const AttentionArgs& args, std::byte* memory) {
  const std::int64_t queries = max_queries(args);
  Scratch scratch;
  scratch.sums = reinterpret_cast<float*>(memory);
  scratch.largest = scratch.sums + queries * padded_v_dim(args.kv);
  scratch.total = scratch.largest + round_up_floats(queries);
  scratch.weights = scratch.total + round_up_floats(queries);
  scratch.rescale = scratch.weights + kQueryTile * kBlock;
  return scratch;
}

// ---- One block ----------------------------------------------------------------------------------

/// Turns one query's dot products with the pages it sees into weights (exactly 0 outside [low,
/// high)) and moves its running maximum and total on; returns the factor for what was summed
/// before.
float online_softmax(const QueryTile& tile, float* weights, float& largest, float& total) {
  const AttentionArgs& args = *tile.args;
  const int begin = tile.first_page() * kPage;
  const int end = tile.end_page() * kPage;
  const F32 nothing = splat(-__builtin_inff());
  F32 block_largest = splat(largest);
  for (int at = begin; at < end; at += kLanes) {
    F32 x = load(weights + at) * splat(args.scale);
    if (args.softcap > 0) x = splat(args.softcap) * tanh_f32(x / splat(args.softcap));
    x = if_visible(x, at, tile.low, tile.high, nothing);
    store(weights + at, x);
    block_largest = larger(x, block_largest);
  }
  const float new_largest = largest_lane(block_largest);
  F32 block_total = zero();
  for (int at = begin; at < end; at += kLanes) {
    const F32 weight = exp_f32(load(weights + at) - splat(new_largest));
    store(weights + at, weight);
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

/// The block's share of kQueries queries.
template <class Kv, int kQueries>
void attend_block(const QueryTile& tile, const Block<Kv>& block, const Scratch& scratch) {
  const KvShape& shape = tile.args->kv;
  const float* q[kQueries];
  for (int n = 0; n < kQueries; ++n) q[n] = tile.q(tile.first + n);
  for (int page = tile.first_page(); page < tile.end_page(); ++page) {
    dot_keys<Kv, kQueries>(q, shape.k_dim, block, page, scratch.weights + page * kPage);
  }
  for (int n = 0; n < kQueries; ++n) {
    scratch.rescale[n] =
        online_softmax(tile, scratch.weights + n * kBlock, scratch.largest[tile.first + n],
                       scratch.total[tile.first + n]);
  }
  const std::int64_t v_stride = padded_v_dim(shape);
  float* sums = scratch.sums + tile.first * v_stride;
  if (shape.values_in_keys) {
    add_key_values<Kv, kQueries>(tile, block, v_stride, scratch.weights, scratch.rescale, sums);
    return;
  }
  std::int64_t d = 0;
  for (; d + 2 * kLanes <= v_stride; d += 2 * kLanes) {
    add_values<Kv, kQueries, 2>(tile, block, d, v_stride, scratch.weights, scratch.rescale,
                                sums + d);
  }
  if (d < v_stride) {
    add_values<Kv, kQueries, 1>(tile, block, d, v_stride, scratch.weights, scratch.rescale,
                                sums + d);
  }
}

/// Runs `count` queries from tile.first on, kQueryTile and then fewer at a time.
template <class Kv>
void attend_queries(QueryTile tile, std::int64_t count, const Block<Kv>& block,
                    const Scratch& scratch) {
  for (const std::int64_t end = tile.first + count; tile.first < end;) {
    const std::int64_t left = end - tile.first;
    if (left >= kQueryTile) {
      attend_block<Kv, kQueryTile>(tile, block, scratch);
      tile.first += kQueryTile;
    } else if (left >= 4) {
      attend_block<Kv, 4>(tile, block, scratch);
      tile.first += 4;
    } else if (left >= 2) {
      attend_block<Kv, 2>(tile, block, scratch);
      tile.first += 2;
    } else {
      attend_block<Kv, 1>(tile, block, scratch);
      tile.first += 1;
    }
  }
}

// ---- Rows ---------------------------------------------------------------------------------------

std::int64_t first_visible(const AttentionArgs& args, const AttentionRow& row) {
  const std::int64_t first = args.window > 0 ? row.position - args.window + 1 : 0;
  return first > 0 ? first : 0;
}

int clamp_to_block(std::int64_t position) {
  return static_cast<int>(position < 0 ? 0 : position > kBlock ? kBlock : position);
}

/// Rows [begin, end) belong to one sequence: every block is read once for all of them.
template <class Kv>
void attend_sequence(const AttentionArgs& args, const AttentionRow* rows, std::int64_t begin,
                     std::int64_t end, int kv_head, const Scratch& scratch) {
  const int group = args.n_heads / args.kv.n_kv_heads;
  const HeadLayout layout = head_layout<Kv>(args.kv);
  const std::int64_t page_bytes = args.kv.n_kv_heads * layout.bytes;
  std::int64_t first = first_visible(args, rows[begin]);
  std::int64_t last = rows[begin].position;
  for (std::int64_t r = begin + 1; r < end; ++r) {
    const std::int64_t row_first = first_visible(args, rows[r]);
    if (row_first < first) first = row_first;
    if (rows[r].position > last) last = rows[r].position;
  }
  for (std::int64_t start = first / kBlock * kBlock; start <= last; start += kBlock) {
    Block<Kv> block{.heads = {}, .at = layout};
    for (int n = 0; n < kBlockPages; ++n) {
      const std::int64_t position = start + n * kPage;
      if (position > last || position + kPage <= first) {
        continue;
      }
      block.heads[n] =
          args.layer + rows[begin].pages[position / kPage] * page_bytes + kv_head * layout.bytes;
    }
    const auto low_of = [&](std::int64_t r) {
      return clamp_to_block(first_visible(args, rows[r]) - start);
    };
    const auto high_of = [&](std::int64_t r) {
      return clamp_to_block(rows[r].position + 1 - start);
    };
    for (std::int64_t r = begin; r < end;) {
      const int low = low_of(r);
      const int high = high_of(r);
      std::int64_t next = r + 1;
      while (next < end && low_of(next) == low && high_of(next) == high) ++next;
      if (low < high) {
        const QueryTile tile{&args, rows, kv_head, r * group, low, high};
        attend_queries<Kv>(tile, (next - r) * group, block, scratch);
      }
      r = next;
    }
  }
}

void start_queries(const AttentionArgs& args, std::int64_t queries, const Scratch& scratch) {
  const std::int64_t v_stride = padded_v_dim(args.kv);
  for (std::int64_t n = 0; n < queries; ++n) {
    scratch.largest[n] = -__builtin_inff();
    scratch.total[n] = 0;
  }
  for (std::int64_t d = 0; d < queries * v_stride; d += kLanes) store(scratch.sums + d, zero());
}

void write_outputs(const AttentionArgs& args, const AttentionRow* rows, std::int64_t n_rows,
                   int kv_head, const Scratch& scratch) {
  const std::int64_t group = args.n_heads / args.kv.n_kv_heads;
  const std::int64_t v_dim = args.kv.v_dim;
  const std::int64_t v_stride = padded_v_dim(args.kv);
  for (std::int64_t query = 0; query < n_rows * group; ++query) {
    float* out = rows[query / group].out + (kv_head * group + query % group) * v_dim;
    const float* sums = scratch.sums + query * v_stride;
    const F32 total = splat(scratch.total[query]);
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

template <class Kv>
void attend_rows(const AttentionArgs& args, const AttentionRow* rows, std::int64_t n_rows,
                 int kv_head, const Scratch& scratch) {
  start_queries(args, n_rows * (args.n_heads / args.kv.n_kv_heads), scratch);
  for (std::int64_t begin = 0; begin < n_rows;) {
    std::int64_t end = begin + 1;
    while (end < n_rows && rows[end].pages == rows[begin].pages) ++end;
    attend_sequence<Kv>(args, rows, begin, end, kv_head, scratch);
    begin = end;
  }
  write_outputs(args, rows, n_rows, kv_head, scratch);
}

}  // namespace

void attention(const AttentionArgs& args, const AttentionRow* rows, std::int64_t n_rows,
               int kv_head, std::byte* memory) {
  const Scratch scratch = cut_scratch(args, memory);
  for (std::int64_t r = 0; r < n_rows; r += kAttentionRowTile) {
    const std::int64_t n = n_rows - r < kAttentionRowTile ? n_rows - r : kAttentionRowTile;
    switch (args.kv.dtype) {
      case DType::f16:
        attend_rows<KvF16>(args, rows + r, n, kv_head, scratch);
        break;
      case DType::bf16:
        attend_rows<KvBf16>(args, rows + r, n, kv_head, scratch);
        break;
      case DType::q8_0:
        attend_rows<KvQ8>(args, rows + r, n, kv_head, scratch);
        break;
      default:
        attend_rows<KvF32>(args, rows + r, n, kv_head, scratch);
    }
  }
}

std::size_t attention_scratch_bytes(const AttentionArgs& args) {
  return static_cast<std::size_t>(scratch_floats(args)) * sizeof(float);
}

}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
