// Matrix product with block-quantised weights and 8-bit activations. Products within a block of 32
// columns are summed exactly in integers; each group of columns with a scale of its own then adds
//   (weight scale * activation scale) * integer sum   to the f32 accumulator, and where the type
// has minimums,  -minimum * (activation scale * sum of activations).
#include "kernels/cpu/isa.h"
//
#include "kernels/cpu/backend.h"
#include "kernels/cpu/matmul_tile.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

/// Four activations, from column 4 * step on, in every lane.
LLM_INLINE I32 four_columns(const Q8Block& x, int step) {
  std::int32_t bits;
  __builtin_memcpy(&bits, x.q + 4 * step, sizeof bits);
  return splat(bits);
}

template <int factor>
LLM_INLINE I32 times_power_of_two(I32 x) {
  static_assert((factor & (factor - 1)) == 0);
  return shift_left<__builtin_ctz(factor)>(x);
}

/// What integer sums start from, so that stored codes minus `offset` is what is multiplied.
template <int offset>
LLM_INLINE I32 initial_dot(const Q8Block& x, int part) {
  if constexpr (offset == 0) {
    return splat(std::int32_t{0});
  } else if constexpr (offset == 4) {
    return shift_right_signed<1>(splat(x.neg8_sum[part]));
  } else {
    return times_power_of_two<offset / 8>(splat(x.neg8_sum[part]));
  }
}

struct Int8Dot {
  static constexpr int kSteps = 8;
  I32 sum;
  LLM_INLINE void add(Int8Weights w, I32 x) { sum = dot_int8(sum, w, x); }
  LLM_INLINE void flush() {}
};

template <QuantFormat f, bool kUint7 = f.codes == Codes::uint7>
struct DotOf {
  using Type = CodeDot<f.max_code>;
};
template <QuantFormat f>
struct DotOf<f, false> {
  using Type = Int8Dot;
};

/// Weights of four columns of kLanes outputs, as the format's dot product takes them.
template <QuantFormat f>
LLM_INLINE auto load_weights(const std::uint8_t* codes, int step, int v,
                             const std::uint8_t* table) {
  if constexpr (f.nibbles) {
    const Bytes both = load_bytes(codes + (step % 4 * kPanelVectors + v) * 4 * kLanes);
    const Bytes nibbles = step < 4 ? low_nibbles(both) : high_nibbles(both);
    if constexpr (f.codes == Codes::table) {
      return prepare_int8(look_up(table, nibbles));
    } else {
      return nibbles;
    }
  } else {
    const Bytes bytes = load_bytes(codes + (step * kPanelVectors + v) * 4 * kLanes);
    if constexpr (f.codes == Codes::int8) {
      return prepare_int8(bytes);
    } else {
      return bytes;
    }
  }
}

template <QuantFormat f>
LLM_INLINE F32 load_scale(const std::uint8_t* p) {
  const auto* bits = reinterpret_cast<const std::uint16_t*>(p);
  if constexpr (f.bf16_scale) return load_bf16(bits);
  return load_f16(bits);
}

/// Tokens in a tile of this format, where there are many.
template <QuantFormat f>
constexpr int kTileTokens = f.codes == Codes::uint7 ? kQuantTokens : kInt8Tokens;
/// Where there are few, so that weights pass by once.
template <QuantFormat f>
constexpr int kFewTileTokens = kTileTokens<f> > kWideTokens ? kTileTokens<f> : kWideTokens;

/// Up to so many tokens, fetching weights takes about as long as multiplying them.
constexpr std::int64_t kStreamedTokens = 64;

/// Of codes in bytes, for several tokens: into the second-level cache, then into the first. The
/// first alone has too few lines on their way for the time that the products take.
constexpr std::int64_t kFarPrefetchBytes = 8192;
constexpr std::int64_t kNearPrefetchBytes = 1024;

/// The codes of group `group` of a block, for registers of outputs from `first` on.
struct GroupCodes {
  const std::uint8_t* codes;  // of the block
  const std::uint8_t* table;
  int first;
  int group;
};

/// Integer sums over the columns of a group, of `count` tokens.
template <QuantFormat f, int kOffset, class Dot, int kTokens, int kVectors>
LLM_INLINE void sum_group(Dot (&dots)[kTokens][kVectors], const GroupCodes& of, const Q8Block* x,
                          std::int64_t x_row_blocks, int count, bool fetch_ahead) {
  constexpr int kSteps = 8 / f.groups;
  LLM_UNROLL
  for (int t = 0; t < count; ++t) {
    LLM_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      dots[t][v] = Dot{initial_dot<kOffset>(x[t * x_row_blocks], f.groups == 1 ? 2 : of.group)};
    }
  }
  LLM_UNROLL
  for (int step = of.group * kSteps; step < (of.group + 1) * kSteps; ++step) {
    const bool flush = (step + 1) % Dot::kSteps == 0 || step + 1 == (of.group + 1) * kSteps;
    LLM_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const auto w = load_weights<f>(of.codes, step, of.first + v, of.table);
      // Nibbles are loaded twice, low and high halves.
      if (fetch_ahead && (!f.nibbles || step < 4)) {
        const std::uint8_t* line = of.codes + (step * kPanelVectors + of.first + v) * 4 * kLanes;
        if constexpr (!f.nibbles && kTokens >= 4) {
          __builtin_prefetch(line + kFarPrefetchBytes, 0, 2);
          __builtin_prefetch(line + kNearPrefetchBytes);
        } else {
          __builtin_prefetch(line + kPrefetchBytes);
        }
      }
      LLM_UNROLL
      for (int t = 0; t < count; ++t) {
        dots[t][v].add(w, four_columns(x[t * x_row_blocks], step));
        if (flush) dots[t][v].flush();
      }
    }
  }
}

/// kVectors registers of outputs of a panel, from `first` on.
template <DType dtype, int kTokens, int kVectors>
LLM_INLINE void tile_part(const TilePlace& at, int first) {
  constexpr QuantFormat f = quant_format(dtype);
  using Dot = typename DotOf<f>::Type;
  constexpr int kOffset = f.codes == Codes::uint7 ? f.offset : kInt8Offset;

  const auto* p = reinterpret_cast<const std::uint8_t*>(at.weights());
  const auto* x = reinterpret_cast<const Q8Block*>(at.input());
  const std::int64_t x_row_blocks = at.x_row_bytes / static_cast<std::int64_t>(sizeof(Q8Block));
  const std::int64_t superblocks = at.args->w->cols / (f.blocks * kQuantBlock);
  const std::uint8_t* table = f.codes == Codes::table ? code_table(dtype, kInt8Offset) : nullptr;

  // Tokens whose products are summed side by side.
  constexpr int kTogether = kVectors > 1 && kTokens > kQuantTokens ? (kTokens + 1) / 2 : kTokens;
  // The parts of a tile share what it fetches, so many lines per block.
  constexpr std::int64_t kParts = kPanelVectors / kVectors;
  const std::int64_t part_lines = at.fetch_lines / kParts;
  const std::int64_t block_lines =
      (part_lines + superblocks * f.blocks - 1) / (superblocks * f.blocks);
  const std::byte* fetch = at.fetch + first / kVectors * part_lines * 64;

  F32 sums[kTokens][kVectors];
  LLM_UNROLL
  for (int t = 0; t < kTokens; ++t) {
    LLM_UNROLL
    for (int v = 0; v < kVectors; ++v) sums[t][v] = zero();
  }
  for (std::int64_t s = 0; s < superblocks; ++s) {
    F32 d[kVectors];
    F32 negative_dmin[kVectors];
    LLM_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      d[v] = load_scale<f>(p + (first + v) * kLanes * 2);
      if constexpr (f.has_minimum) {
        const auto* dmin = reinterpret_cast<const std::uint16_t*>(p + kPanelRows * 2);
        negative_dmin[v] = zero() - load_f16(dmin + (first + v) * kLanes);
      }
    }
    p += f.head_bytes(kPanelRows);
    for (int b = 0; b < f.blocks; ++b, ++x, p += f.block_bytes(kPanelRows)) {
      if constexpr (kTokens > 1) {  // one token alone is a tile that fetches for itself
        for (std::int64_t line = 0; line < block_lines; ++line, fetch += 64) {
          __builtin_prefetch(fetch, 0, 2);
        }
      }
      const std::uint8_t* minimums = p + f.scales_bytes(kPanelRows);
      const std::uint8_t* codes = minimums + f.minimums_bytes(kPanelRows);
      LLM_UNROLL
      for (int g = 0; g < f.groups; ++g) {
        const int part = f.groups == 1 ? 2 : g;
        LLM_UNROLL
        for (int begin = 0; begin < kTokens; begin += kTogether) {
          // Kept in registers for the next of them, the weights would displace sums.
          if (begin > 0) asm volatile("" : : : "memory");
          const int end = begin + kTogether < kTokens ? begin + kTogether : kTokens;
          Dot dots[kTogether][kVectors];
          sum_group<f, kOffset>(dots, {codes, table, first, g}, x + begin * x_row_blocks,
                                x_row_blocks, end - begin, kTokens <= kStreamTokens && begin == 0);
          LLM_UNROLL
          for (int v = 0; v < kVectors; ++v) {
            F32 scale = d[v];
            F32 negative_minimum;
            const std::int64_t place = g * kPanelRows + (first + v) * kLanes;
            if constexpr (f.has_scales) {
              scale = scale * (f.signed_scales ? load_i8(p + place) : load_u8(p + place));
            }
            if constexpr (f.has_minimum) {
              negative_minimum = negative_dmin[v];
              if constexpr (f.has_scales) {
                negative_minimum = negative_minimum * load_u8(minimums + place);
              }
            }
            LLM_UNROLL
            for (int t = begin; t < end; ++t) {
              const Q8Block& block = x[t * x_row_blocks];
              sums[t][v] =
                  mul_add(to_f32(dots[t - begin][v].sum), scale * splat(block.scale), sums[t][v]);
              if constexpr (f.has_minimum) {
                sums[t][v] = mul_add(negative_minimum, splat(block.scaled_sum[part]), sums[t][v]);
              }
            }
          }
        }
      }
    }
  }
  LLM_UNROLL
  for (int t = 0; t < kTokens; ++t) finish_row<kVectors>(at, t, sums[t], first);
}

/// With more tokens than kQuantTokens, one register of outputs at a time where registers are few.
template <DType dtype, int kTokens>
void tile(const TilePlace& at) {
  constexpr int kVectors = kTokens > kQuantTokens && kWideTokens == 0 ? 1 : kPanelVectors;
  for (int first = 0; first < kPanelVectors; first += kVectors) {
    tile_part<dtype, kTokens, kVectors>(at, first);
  }
}

template <DType dtype>
void run(const MatmulArgs& args, std::int64_t begin, std::int64_t end) {
  constexpr int kTokens = kTileTokens<quant_format(dtype)>;
  constexpr int kMost = kFewTileTokens<quant_format(dtype)>;
  static constexpr TileFn kTiles[] = {
#define LLM_TILE(n) tile<dtype, (n) < kMost ? (n) : kMost>
      LLM_TILE(1), LLM_TILE(2), LLM_TILE(3), LLM_TILE(4),
      LLM_TILE(5), LLM_TILE(6), LLM_TILE(7), LLM_TILE(8),
#undef LLM_TILE
  };
  static_assert(kMost <= 8);
  const auto x_row_bytes =
      static_cast<std::int64_t>(input_row_bytes(InputFormat::q8, args.w->cols));
  if (args.tokens <= kMost) return run_tiles(args, begin, end, x_row_bytes, kTiles, kMost);
  if (args.tokens <= kStreamedTokens) {
    return stream_tiles(args, begin, end, x_row_bytes, kTiles, kTokens);
  }
  run_tiles(args, begin, end, x_row_bytes, kTiles, kTokens);
}

}  // namespace

void matmul_quant(const MatmulArgs& args, std::int64_t panel_begin, std::int64_t panel_end) {
  switch (args.w->dtype) {
#define LLM_CASE(name) \
  case DType::name:    \
    return run<DType::name>(args, panel_begin, panel_end);
    LLM_QUANT_DTYPES(LLM_CASE)
#undef LLM_CASE
    default:
      return;  // input_format() gives q8 to block types alone
  }
}

}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
