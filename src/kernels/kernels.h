// Ops: the table of operations that the model graph is made of. Backends fill it: ref/ (the
// definition of each operation), cpu/ (one table per instruction set). The model code sees only
// this table.
//
// Rules every entry keeps:
//  - A result depends on its own row alone. The order in which one output element is reduced is a
//    function of the length of the reduction only, never of the number of rows, of how the work is
//    cut, or of the thread that runs it: the same row gives the same bits in any batch.
//  - No allocation, no locking, no error: sizes are checked by whoever builds the arguments.
//  - Row-major; pointers to activations are 64-byte aligned at row 0; shapes are in comments.
//  - f32 accumulation everywhere (ref accumulates in f64 and rounds once).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "llm/dtype.h"
#include "llm/status.h"

namespace llm::kernels {

/// Form in which a matrix product reads its activation rows. Which one a weight needs depends on
/// its dtype and on the backend; several weights that read the same rows share the prepared form.
enum class InputFormat : std::uint8_t {
  f32,   ///< as is
  f16,   ///< rounded to f16
  bf16,  ///< rounded to bf16
  q8,    ///< 8-bit integers with one f32 scale per block of 32 columns of the row
};
inline constexpr std::size_t kInputFormats = 4;

/// A weight matrix in the form its backend wants: `rows` outputs of `cols` inputs, cut into panels
/// of `panel_rows` consecutive outputs (the last one padded with zero rows). Panel p lies at
/// data + p * panel_bytes.
struct PackedMatrix {
  DType dtype = DType::f32;
  InputFormat input = InputFormat::f32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t panel_rows = 1;
  std::size_t panel_bytes = 0;
  const std::byte* data = nullptr;

  std::int64_t panels() const { return (rows + panel_rows - 1) / panel_rows; }
};

/// y[t][r] = sum_c x[t][c] * w[r][c] (+ bias[r]) (+ y[t][r] before, when `accumulate`).
struct MatmulArgs {
  const PackedMatrix* w = nullptr;
  const std::byte* x = nullptr;  // (tokens, input_row_bytes(w->input, w->cols)), prepared rows
  std::int64_t tokens = 0;
  float* y = nullptr;           // (tokens, w->rows), rows `y_stride` floats apart
  std::int64_t y_stride = 0;    // >= w->rows
  const float* bias = nullptr;  // (rows) or null
  bool accumulate = false;
};

/// Positions per page of the KV cache.
inline constexpr std::int64_t kKvPageTokens = 32;

/// One layer's share of one KV page holds kKvPageTokens positions of every kv head, in a layout of
/// the backend's choice.
struct KvShape {
  /// f32, f16, bf16, or q8_0: 8-bit integers with one scale per 32 consecutive components of a
  /// position's key or value (fewer in the last group).
  DType dtype = DType::f32;
  int n_kv_heads = 0;
  int k_dim = 0;  ///< head_dim of keys and queries
  int v_dim = 0;  ///< head_dim of values
  /// The values are the first v_dim components of the keys (multi-head latent attention); they are
  /// not stored again.
  bool values_in_keys = false;
};

/// One query row of the batch.
struct AttentionRow {
  const float* q = nullptr;             // (n_heads, k_dim), rotated
  float* out = nullptr;                 // (n_heads, v_dim)
  const std::int32_t* pages = nullptr;  // page ids of the row's sequence, in order of position
  std::int64_t position = 0;            // sees positions max(0, position - window + 1)..position
};

/// Softmax(scale * q.k [softcapped]) . v over a paged cache; query head h reads kv head
/// h / (n_heads / n_kv_heads). Computed with an online softmax over blocks of positions, in order,
/// whose bounds do not depend on the row.
struct AttentionArgs {
  KvShape kv;
  const std::byte* layer = nullptr;  // this layer's pages: page id p at layer + p * page_bytes
  int n_heads = 0;
  float scale = 1;
  float softcap = 0;        ///< c > 0: c * tanh(logit / c) before masking
  std::int64_t window = 0;  ///< > 0: only the last `window` positions, the own one included
};

/// Activation of a feed-forward network. gelu is x/2 (1 + erf(x / sqrt 2)); gelu_tanh its tanh form
/// (Hendrycks and Gimpel 2016).
enum class Activation : std::uint8_t { silu, gelu, gelu_tanh };

struct Ops {
  std::string_view name;  ///< "ref", "baseline", "avx2", "avx512", "avx512_bf16", "avx512_amx"

  // ---- Weights ------------------------------------------------------------------------------
  InputFormat (*input_format)(DType weight);
  /// Outputs per panel for this weight type.
  std::int64_t (*panel_rows)(DType weight);
  std::size_t (*panel_bytes)(DType weight, std::int64_t cols);
  /// Packs one panel. rows[i] points to the stored row i of the panel (row_bytes(weight, cols)
  /// bytes of type `weight`), or is null for padding (a row of zeros).
  void (*pack_panel)(DType weight, std::int64_t cols, const std::byte* const* rows,
                     std::byte* panel);

  // ---- Matrix product -----------------------------------------------------------------------
  std::size_t (*input_row_bytes)(InputFormat format, std::int64_t cols);
  /// Prepares rows [row_begin, row_end) of x (rows `x_stride` floats apart); the cols of a q8 row
  /// are padded to a multiple of 32 with zeros. f32 copies.
  void (*prepare_input)(InputFormat format, const float* x, std::int64_t x_stride,
                        std::int64_t cols, std::int64_t row_begin, std::int64_t row_end,
                        std::byte* out);
  /// Computes the outputs of panels [panel_begin, panel_end) for all tokens. `scratch` holds
  /// matmul_scratch_bytes and belongs to the calling thread.
  void (*matmul)(const MatmulArgs& args, std::int64_t panel_begin, std::int64_t panel_end,
                 std::byte* scratch);
  std::size_t (*matmul_scratch_bytes)(DType weight, std::int64_t cols);

  // ---- Rows of f32 ---------------------------------------------------------------------------
  /// y[r] = x[r] / sqrt(mean(x[r]^2) + eps) * w, rows of `cols`, `stride` floats apart in both.
  /// May run in place.
  void (*rms_norm)(const float* x, const float* w, float eps, float* y, std::int64_t rows,
                   std::int64_t cols, std::int64_t stride);
  /// y[r] = (x[r] - mean) / sqrt(variance + eps) * w (+ b), population variance. b may be null.
  void (*layer_norm)(const float* x, const float* w, const float* b, float eps, float* y,
                     std::int64_t rows, std::int64_t cols, std::int64_t stride);
  /// Rotates the first rotary_dim components of each head, in place: pairs (i, i + rotary_dim/2).
  void (*rope)(float* x /* (n_heads, head_dim) */, int n_heads, int head_dim, int rotary_dim,
               const float* cos /* (rotary_dim/2) */, const float* sin);
  /// out[c] = activation(gate[c]) * up[c], or without the factor where `up` is null. May run in
  /// place.
  void (*activate)(Activation activation, const float* gate, const float* up, float* out,
                   std::int64_t cols);
  /// x[c] = cap * tanh(x[c] / cap)
  void (*softcap)(float* x, float cap, std::int64_t cols);
  /// x[c] += y[c]
  void (*add)(float* x, const float* y, std::int64_t cols);

  // ---- KV cache ------------------------------------------------------------------------------
  std::size_t (*kv_page_bytes)(const KvShape& shape);  ///< of one layer, a multiple of 64
  /// Stores one position's keys and values into slot [0, kKvPageTokens) of a page.
  void (*kv_store)(const KvShape& shape, std::byte* page, std::int64_t slot,
                   const float* k /* (n_kv_heads, k_dim) */,
                   const float* v /* (n_kv_heads, v_dim); not read when they are in the keys */);
  /// Attention of `n_rows` rows for the query heads of one kv head. Rows that follow each other
  /// may belong to one sequence (equal `pages`, rising positions); a backend may use that, without
  /// changing a bit of the result. `scratch` holds attention_scratch_bytes, per thread.
  void (*attention)(const AttentionArgs& args, const AttentionRow* rows, std::int64_t n_rows,
                    int kv_head, std::byte* scratch);
  std::size_t (*attention_scratch_bytes)(const AttentionArgs& args);
  /// Most rows that one attention call should be given at a time.
  std::int64_t attention_row_tile;

  // ---- Roofline ------------------------------------------------------------------------------
  /// Runs the innermost instruction of the matrix product on registers alone, `iterations` times;
  /// returns the number of multiply and add operations done (2 per multiply-add).
  double (*peak_loop)(InputFormat format, std::int64_t iterations);
};

/// Tables that this processor can run, best first; "ref" is the last.
const std::vector<const Ops*>& available_ops();
/// Names of all tables in this build, runnable here or not.
std::vector<std::string_view> known_ops();
/// The table named by `name`, or the best one when `name` is empty. An unknown name, or one that
/// this processor cannot run, is an error that lists the choices.
Result<const Ops*> select_ops(std::string_view name);

}  // namespace llm::kernels
