// Attention on AMX tiles over a bf16 cache: 16 queries at a time, each a row of the tiles, so that
// its result is the same as alone. Queries and weights are f32; as sums of two bf16 they keep 16
// bits, and both parts are multiplied (FlashAttention, Dao et al. 2022, is the order of the work).
#include "kernels/cpu/isa.h"
//
#include "kernels/cpu/amx/amx.h"
#include "kernels/cpu/amx/kv_pairs.h"
#include "kernels/cpu/amx/tiles.h"
#include "kernels/cpu/attention_rows.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

// Registers: sums, both parts of queries or weights, keys or values.
constexpr int kC0 = 0, kC1 = 1, kC2 = 2, kC3 = 3, kHigh = 4, kLow = 5, kB0 = 6, kB1 = 7;

constexpr std::int64_t kLogitsStride = kBlock * sizeof(float);
constexpr std::int64_t kPartStride = kBlock * 2;  // of the weights of one part

/// Memory of one call.
struct Scratch {
  QueryStates states;
  std::byte* queries;  // (queries, 2 parts, padded k_dim) bf16
  float* logits;       // (16, kBlock)
  std::byte* weights;  // (2 parts, 16, kBlock) bf16
  std::byte* values;   // (kBlockPages) pages of values without what no query in hand may see
};

constexpr std::int64_t kLogitsBytes = kTileRows * kLogitsStride;
constexpr std::int64_t kWeightsBytes = 2 * kTileRows * kPartStride;

std::int64_t state_bytes(const AttentionArgs& args) { return round_up(state_floats(args) * 4, 64); }
std::int64_t query_bytes(const AttentionArgs& args) { return 2 * 2 * padded_k_dim(args.kv); }

Scratch cut_scratch(const AttentionArgs& args, std::byte* memory) {
  Scratch scratch;
  scratch.states = cut_states(args, reinterpret_cast<float*>(memory));
  scratch.queries = memory + state_bytes(args);
  scratch.logits =
      reinterpret_cast<float*>(scratch.queries + max_queries(args) * query_bytes(args));
  scratch.weights = reinterpret_cast<std::byte*>(scratch.logits) + kLogitsBytes;
  scratch.values = scratch.weights + kWeightsBytes;
  return scratch;
}

/// x as the sum of two bf16, each rounded to nearest. Numbers below the normal ones become 0, as
/// they do in the tiles' products.
LLM_INLINE void store_parts(std::byte* high, std::byte* low, F32 x) {
  const auto high_bits = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x.v));
  const F32 rest = {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(high_bits), 16))};
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(high), high_bits);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(low),
                      reinterpret_cast<__m256i>(_mm512_cvtneps_pbh((x - rest).v)));
}

void prepare_queries(const AttentionArgs& args, const AttentionRow* rows, std::int64_t queries,
                     int kv_head, const Scratch& scratch) {
  const std::int64_t part = 2 * padded_k_dim(args.kv);
  std::byte* to = scratch.queries;
  for (std::int64_t query = 0; query < queries; ++query, to += 2 * part) {
    const float* q = query_of(args, rows, kv_head, query);
    for (std::int64_t d = 0; d < padded_k_dim(args.kv); d += kLanes) {
      const std::int64_t left = args.kv.k_dim - d;
      const F32 x = left >= kLanes ? load(q + d) : left > 0 ? load_partial(q + d, left) : zero();
      store_parts(to + 2 * d, to + part + 2 * d, x);
    }
  }
}

/// Up to 16 queries of one sequence, from number `first` on, and a block of its pages.
struct Tile {
  const AttentionArgs& args;
  const BlockPages& pages;
  const Scratch& scratch;
  std::int64_t first;
  int count;
  Visible all = {kBlock, 0};     // by at least one of them; none if low >= high
  Visible seen[kTileRows] = {};  // by each query

  void look(const AttentionRow* rows) {
    const int group = group_of(args);
    const AttentionRow* row = rows + first / group;
    for (int query = 0, head = static_cast<int>(first % group); query < count; ++row, head = 0) {
      const Visible by_row = visible(args, *row, pages.start);
      if (by_row.low < by_row.high) {
        if (by_row.low < all.low) all.low = by_row.low;
        if (by_row.high > all.high) all.high = by_row.high;
      }
      for (; head < group && query < count; ++head) seen[query++] = by_row;
    }
  }
  LLM_INLINE bool one_row() const {
    return first / group_of(args) == (first + count - 1) / group_of(args);
  }
};

void configure(int queries) {
  TileShapes shapes;
  for (const int tile : {kC0, kC1, kC2, kC3, kHigh, kLow}) {
    shapes.set(tile, queries, kTileRowBytes);
  }
  for (const int tile : {kB0, kB1}) shapes.set(tile, kTileRows, kTileRowBytes);
  configure_tiles(shapes);
}

/// logits = q . k for all positions of a page.
void dot_keys(const Tile& tile, int page) {
  const std::int64_t part = 2 * padded_k_dim(tile.args.kv);
  const std::byte* q = tile.scratch.queries + tile.first * 2 * part;
  const std::byte* keys = tile.pages.heads[page];
  zero_tile<kC0>();
  zero_tile<kC1>();
  for (std::int64_t at = 0; at < part; at += kTileRowBytes) {
    load_tile<kHigh>(q + at, 2 * part);
    load_tile<kLow>(q + part + at, 2 * part);
    load_tile<kB0>(keys, kKeyPairRowBytes);
    multiply_bf16_tiles<kC0, kHigh, kB0>();
    load_tile<kB1>(keys + kTileRowBytes, kKeyPairRowBytes);
    multiply_bf16_tiles<kC1, kHigh, kB1>();
    multiply_bf16_tiles<kC0, kLow, kB0>();
    multiply_bf16_tiles<kC1, kLow, kB1>();
    keys += kTileRows * kKeyPairRowBytes;
  }
  float* logits = tile.scratch.logits + page * kPage;
  store_tile<kC0>(logits, kLogitsStride);
  store_tile<kC1>(logits + kTileRows, kLogitsStride);
}

/// Logits become weights in two parts, zeros where a query does not see a page; sums so far are
/// rescaled.
void weigh(const Tile& tile) {
  const QueryStates& states = tile.scratch.states;
  const std::int64_t v_stride = padded_v_dim(tile.args.kv);
  for (int query = 0; query < tile.count; ++query) {
    std::byte* high = tile.scratch.weights + query * kPartStride;
    std::byte* low = high + kTileRows * kPartStride;
    const auto take = [&](int at, F32 weight)
                          LLM_LAMBDA_INLINE { store_parts(high + 2 * at, low + 2 * at, weight); };
    const Visible& seen = tile.seen[query];
    const bool sees_some = seen.low < seen.high;
    for (int page = tile.all.first_page(); page < tile.all.end_page(); ++page) {
      if (sees_some && page >= seen.first_page() && page < seen.end_page()) continue;
      for (int at = page * kPage; at < (page + 1) * kPage; at += kLanes) take(at, zero());
    }
    if (!sees_some) continue;
    const std::int64_t number = tile.first + query;
    const float factor = online_softmax(tile.args, seen, tile.scratch.logits + query * kBlock,
                                        states.largest[number], states.total[number], take);
    if (factor == 1) continue;
    float* sums = states.sums + number * v_stride;
    for (std::int64_t d = 0; d < v_stride; d += kLanes) {
      store(sums + d, load(sums + d) * splat(factor));
    }
  }
}

/// sums += weights . values, over kTiles * 16 features from `d` on.
template <int kTiles>
void add_values(const Tile& tile, const std::byte* const* values, std::int64_t d) {
  const std::int64_t v_stride = padded_v_dim(tile.args.kv);
  const std::int64_t sums_stride = 4 * v_stride;
  float* sums = tile.scratch.states.sums + tile.first * v_stride + d;
  load_tile<kC0>(sums, sums_stride);
  if constexpr (kTiles > 1) load_tile<kC1>(sums + 16, sums_stride);
  if constexpr (kTiles > 2) load_tile<kC2>(sums + 32, sums_stride);
  if constexpr (kTiles > 3) load_tile<kC3>(sums + 48, sums_stride);
  const auto multiply = [&]<int kC, int kB>(const std::byte* pairs) LLM_LAMBDA_INLINE {
    load_tile<kB>(pairs + kC * kTileRowBytes, sums_stride);
    multiply_bf16_tiles<kC, kHigh, kB>();
    multiply_bf16_tiles<kC, kLow, kB>();
  };
  for (int page = tile.all.first_page(); page < tile.all.end_page(); ++page) {
    const std::byte* weights = tile.scratch.weights + 2 * page * kPage;
    load_tile<kHigh>(weights, kPartStride);
    load_tile<kLow>(weights + kTileRows * kPartStride, kPartStride);
    const std::byte* pairs = values[page] + 4 * d;
    multiply.template operator()<kC0, kB0>(pairs);
    if constexpr (kTiles > 1) multiply.template operator()<kC1, kB1>(pairs);
    if constexpr (kTiles > 2) multiply.template operator()<kC2, kB0>(pairs);
    if constexpr (kTiles > 3) multiply.template operator()<kC3, kB1>(pairs);
  }
  store_tile<kC0>(sums, sums_stride);
  if constexpr (kTiles > 1) store_tile<kC1>(sums + 16, sums_stride);
  if constexpr (kTiles > 2) store_tile<kC2>(sums + 32, sums_stride);
  if constexpr (kTiles > 3) store_tile<kC3>(sums + 48, sums_stride);
}

/// Whether some value of the page is not finite: times a weight of 0 it would not vanish.
bool has_non_finite(const std::byte* values, std::int64_t bytes) {
  const __m512i exponent = _mm512_set1_epi16(0x7f80);
  __mmask32 found = 0;
  for (std::int64_t at = 0; at < bytes; at += 64) {
    const __m512i bits = _mm512_loadu_si512(values + at);
    found |= _mm512_cmpeq_epi16_mask(_mm512_and_si512(bits, exponent), exponent);
  }
  return found != 0;
}

/// The page's values with zeros at positions outside of [low, high).
void copy_visible(const KvShape& shape, const std::byte* values, int low, int high,
                  std::byte* out) {
  const std::int64_t row_bytes = value_pair_row_bytes(shape);
  for (int pair = 0; pair < kPage / 2; ++pair) {
    const auto visible_bits = [&](int slot) LLM_LAMBDA_INLINE {
      return slot >= low && slot < high ? 0xffffu : 0u;
    };
    const __m512i mask = _mm512_set1_epi32(
        static_cast<int>(visible_bits(2 * pair) | visible_bits(2 * pair + 1) << 16));
    for (std::int64_t at = pair * row_bytes; at < (pair + 1) * row_bytes; at += 64) {
      _mm512_storeu_si512(out + at, _mm512_and_si512(_mm512_loadu_si512(values + at), mask));
    }
  }
}

/// Where the values of each page are to be read so that what a query does not see adds nothing.
/// False when its queries have to be taken row by row.
bool find_values(const Tile& tile, const std::byte** values) {
  const Visible& all = tile.all;
  const KvShape& shape = tile.args.kv;
  for (int page = all.first_page(); page < all.end_page(); ++page) {
    values[page] = tile.pages.heads[page] + key_pairs_bytes(shape);
    const int start = page * kPage;
    bool all_see_it = true;
    for (int query = 0; query < tile.count; ++query) {
      all_see_it &= tile.seen[query].low <= start && tile.seen[query].high >= start + kPage;
    }
    if (all_see_it || !has_non_finite(values[page], value_pairs_bytes(shape))) continue;
    if (!tile.one_row()) return false;
    std::byte* copy = tile.scratch.values + page * value_pairs_bytes(shape);
    copy_visible(shape, values[page], all.low - start, all.high - start, copy);
    values[page] = copy;
  }
  return true;
}

void attend_tile(const AttentionRow* rows, Tile tile) {
  tile.look(rows);
  if (tile.all.low >= tile.all.high) return;
  const std::byte* values[kBlockPages] = {};
  if (!find_values(tile, values)) {
    const int group = group_of(tile.args);
    for (int done = 0; done < tile.count;) {
      const std::int64_t first = tile.first + done;
      const auto of_row = static_cast<int>(group - first % group);
      const int count = of_row < tile.count - done ? of_row : tile.count - done;
      attend_tile(rows, {tile.args, tile.pages, tile.scratch, first, count});
      done += count;
    }
    return;
  }
  configure(tile.count);
  for (int page = tile.all.first_page(); page < tile.all.end_page(); ++page) dot_keys(tile, page);
  weigh(tile);
  const std::int64_t v_stride = padded_v_dim(tile.args.kv);
  std::int64_t d = 0;
  for (; d + 64 <= v_stride; d += 64) add_values<4>(tile, values, d);
  switch ((v_stride - d) / 16) {
    case 3:
      return add_values<3>(tile, values, d);
    case 2:
      return add_values<2>(tile, values, d);
    case 1:
      return add_values<1>(tile, values, d);
    default:
      return;
  }
}

void attend_rows(const AttentionArgs& args, const AttentionRow* rows, std::int64_t n_rows,
                 int kv_head, const Scratch& scratch) {
  const std::int64_t group = group_of(args);
  start_queries(args, n_rows * group, scratch.states);
  prepare_queries(args, rows, n_rows * group, kv_head, scratch);
  for_each_sequence(rows, n_rows, [&](std::int64_t begin, std::int64_t end) LLM_LAMBDA_INLINE {
    for_each_block(args, rows, begin, end, kv_head, head_pairs_bytes(args.kv),
                   [&](const BlockPages& pages) LLM_LAMBDA_INLINE {
                     for (std::int64_t query = begin * group; query < end * group;
                          query += kTileRows) {
                       const std::int64_t left = end * group - query;
                       const auto count = static_cast<int>(left < kTileRows ? left : kTileRows);
                       attend_tile(rows, {args, pages, scratch, query, count});
                     }
                   });
  });
  write_outputs(args, rows, n_rows, kv_head, scratch.states);
}

}  // namespace

bool attends_on_tiles(const KvShape& shape) {
  return shape.dtype == DType::bf16 && !shape.values_in_keys;
}

void attention_tiles(const AttentionArgs& args, const AttentionRow* rows, std::int64_t n_rows,
                     int kv_head, std::byte* memory) {
  const Scratch scratch = cut_scratch(args, memory);
  for (std::int64_t r = 0; r < n_rows; r += kAttentionRowTile) {
    const std::int64_t n = n_rows - r < kAttentionRowTile ? n_rows - r : kAttentionRowTile;
    attend_rows(args, rows + r, n, kv_head, scratch);
  }
  release_tiles();
}

std::size_t attention_tiles_scratch_bytes(const AttentionArgs& args) {
  return static_cast<std::size_t>(state_bytes(args) + max_queries(args) * query_bytes(args) +
                                  kLogitsBytes + kWeightsBytes +
                                  kBlockPages * value_pairs_bytes(args.kv));
}

}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
