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

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

/// The states of all queries, and the block's weights of the queries in hand.
struct Scratch {
  QueryStates states;
  float* weights;  // (kQueryTile, kBlock)
  float* rescale;  // (kQueryTile)
};

std::int64_t scratch_floats(const AttentionArgs& args) {
  return state_floats(args) + kQueryTile * kBlock + round_up(kQueryTile, 16);
}

Scratch cut_scratch(const AttentionArgs& args, std::byte* memory) {
  Scratch scratch;
  scratch.states = cut_states(args, reinterpret_cast<float*>(memory));
  scratch.weights = reinterpret_cast<float*>(memory) + state_floats(args);
  scratch.rescale = scratch.weights + kQueryTile * kBlock;
  return scratch;
}

/// The block's share of kQueries queries.
template <class Kv, int kQueries>
void attend_block(const QueryTile& tile, const Block<Kv>& block, const Scratch& scratch) {
  const KvShape& shape = tile.args->kv;
  const QueryStates& states = scratch.states;
  const float* q[kQueries];
  for (int n = 0; n < kQueries; ++n) q[n] = tile.q(tile.first + n);
  for (int page = tile.seen.first_page(); page < tile.seen.end_page(); ++page) {
    dot_keys<Kv, kQueries>(q, shape.k_dim, block, page, scratch.weights + page * kPage);
  }
  for (int n = 0; n < kQueries; ++n) {
    float* weights = scratch.weights + n * kBlock;
    scratch.rescale[n] =
        online_softmax(*tile.args, tile.seen, weights, states.largest[tile.first + n],
                       states.total[tile.first + n],
                       [&](int at, F32 weight) LLM_LAMBDA_INLINE { store(weights + at, weight); });
  }
  const std::int64_t v_stride = padded_v_dim(shape);
  float* sums = states.sums + tile.first * v_stride;
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

/// Rows [begin, end) belong to one sequence: every block is read once for all of them.
template <class Kv>
void attend_sequence(const AttentionArgs& args, const AttentionRow* rows, std::int64_t begin,
                     std::int64_t end, int kv_head, const Scratch& scratch) {
  const int group = group_of(args);
  const HeadLayout layout = head_layout<Kv>(args.kv);
  for_each_block(args, rows, begin, end, kv_head, layout.bytes,
                 [&](const BlockPages& pages) LLM_LAMBDA_INLINE {
                   const Block<Kv> block{pages.heads, layout};
                   for (std::int64_t r = begin; r < end;) {
                     const Visible seen = visible(args, rows[r], pages.start);
                     std::int64_t next = r + 1;
                     while (next < end && visible(args, rows[next], pages.start) == seen) ++next;
                     if (seen.low < seen.high) {
                       const QueryTile tile{&args, rows, kv_head, r * group, seen};
                       attend_queries<Kv>(tile, (next - r) * group, block, scratch);
                     }
                     r = next;
                   }
                 });
}

template <class Kv>
void attend_rows(const AttentionArgs& args, const AttentionRow* rows, std::int64_t n_rows,
                 int kv_head, const Scratch& scratch) {
  start_queries(args, n_rows * group_of(args), scratch.states);
  for_each_sequence(rows, n_rows, [&](std::int64_t begin, std::int64_t end) LLM_LAMBDA_INLINE {
    attend_sequence<Kv>(args, rows, begin, end, kv_head, scratch);
  });
  write_outputs(args, rows, n_rows, kv_head, scratch.states);
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
