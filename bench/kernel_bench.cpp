// Micro-benchmarks of the kernels on one thread: matrix products of TinyLlama's shapes for each
// weight type, instruction set and number of tokens, and attention. Reports GFLOP/s, the share of
// the instruction set's own arithmetic peak (a fraction; ignore the "/s"), and GB/s of weights, all
// per second of processor time.
//
//   llm-kernel-bench --benchmark_filter='avx512/bf16/.*'
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "core/aligned_buffer.h"
#include "kernels/kernels.h"
#include "quant/quant.h"

namespace llm::kernels {
namespace {

struct Shape {
  std::int64_t cols, rows;
};

core::AlignedBuffer allocate(std::size_t bytes) {
  return core::AlignedBuffer::allocate(bytes + 64, "benchmark").value();
}

double seconds_now() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

/// Operations per second of the innermost instruction, the best of a few short runs.
double peak(const Ops& ops, InputFormat format) {
  static std::map<std::pair<const Ops*, InputFormat>, double> known;
  double& best = known[{&ops, format}];
  if (best != 0) return best;
  for (int run = 0; run < 5; ++run) {
    const double start = seconds_now();
    const double operations = ops.peak_loop(format, 1'000'000);
    best = std::max(best, operations / (seconds_now() - start));
  }
  return best;
}

struct Weights {
  Weights(const Ops& ops, DType dtype, Shape shape) {
    packed.dtype = dtype;
    packed.input = ops.input_format(dtype);
    packed.rows = shape.rows;
    packed.cols = shape.cols;
    packed.panel_rows = ops.panel_rows(dtype);
    packed.panel_bytes = ops.panel_bytes(dtype, shape.cols);
    data = allocate(packed.panel_bytes * static_cast<std::size_t>(packed.panels()));
    packed.data = data.data();
    // One random row, used for all: values do not matter, the bytes read do.
    std::mt19937 engine(1);
    std::normal_distribution<float> normal;
    std::vector<float> values(static_cast<std::size_t>(shape.cols));
    for (float& value : values) value = normal(engine) * 0.02f;
    std::vector<std::byte> row(row_bytes(dtype, values.size()));
    quant::encode_row(dtype, values.data(), row.data(), shape.cols);
    const std::vector<const std::byte*> rows(static_cast<std::size_t>(packed.panel_rows),
                                             row.data());
    for (std::int64_t p = 0; p < packed.panels(); ++p) {
      std::byte* panel = data.data() + static_cast<std::size_t>(p) * packed.panel_bytes;
      if (p == 0) {
        ops.pack_panel(dtype, shape.cols, rows.data(), panel);
      } else {
        std::memcpy(panel, data.data(), packed.panel_bytes);
      }
    }
  }

  core::AlignedBuffer data;
  PackedMatrix packed;
};

void bench_matmul(benchmark::State& state, const Ops* ops, DType dtype, Shape shape,
                  std::int64_t tokens) {
  const Weights weights(*ops, dtype, shape);
  const PackedMatrix& w = weights.packed;
  const std::vector<float> x(static_cast<std::size_t>(tokens * shape.cols), 0.5f);
  const std::size_t row = ops->input_row_bytes(w.input, w.cols);
  core::AlignedBuffer input = allocate(row * static_cast<std::size_t>(tokens));
  ops->prepare_input(w.input, x.data(), shape.cols, shape.cols, 0, tokens, input.data());
  std::vector<float> y(static_cast<std::size_t>(tokens * shape.rows));
  core::AlignedBuffer scratch = allocate(ops->matmul_scratch_bytes(dtype, shape.cols));
  MatmulArgs args;
  args.w = &w;
  args.x = input.data();
  args.tokens = tokens;
  args.y = y.data();
  args.y_stride = shape.rows;
  for (auto _ : state) {
    ops->matmul(args, 0, w.panels(), scratch.data());
    benchmark::ClobberMemory();
  }
  const double iterations = static_cast<double>(state.iterations());
  const double operations =
      2.0 * static_cast<double>(tokens) * static_cast<double>(shape.rows * shape.cols);
  const double bytes = static_cast<double>(w.panel_bytes) * static_cast<double>(w.panels());
  using benchmark::Counter;
  state.counters["GFLOP/s"] = Counter(operations * iterations * 1e-9, Counter::kIsRate);
  state.counters["share"] =
      Counter(operations * iterations / peak(*ops, w.input), Counter::kIsRate);
  state.counters["GB/s"] = Counter(bytes * iterations * 1e-9, Counter::kIsRate);
}

/// `rows` queries at the end of a context of `positions`; 32 query heads, 4 kv heads of 64.
void bench_attention(benchmark::State& state, const Ops* ops, DType dtype, std::int64_t positions,
                     std::int64_t rows) {
  AttentionArgs args;
  args.kv = {.dtype = dtype, .n_kv_heads = 4, .k_dim = 64, .v_dim = 64};
  args.n_heads = 32;
  args.scale = 0.125f;
  const std::size_t page_bytes = ops->kv_page_bytes(args.kv);
  const std::int64_t n_pages = (positions + kKvPageTokens - 1) / kKvPageTokens;
  core::AlignedBuffer cache = allocate(page_bytes * static_cast<std::size_t>(n_pages));
  args.layer = cache.data();
  std::vector<std::int32_t> pages;
  for (std::int64_t p = 0; p < n_pages; ++p) pages.push_back(static_cast<std::int32_t>(p));
  const std::vector<float> ones(4 * 64, 0.1f);
  for (std::int64_t p = 0; p < positions; ++p) {
    ops->kv_store(args.kv, cache.data() + static_cast<std::size_t>(p / kKvPageTokens) * page_bytes,
                  p % kKvPageTokens, ones.data(), ones.data());
  }
  const std::vector<float> q(static_cast<std::size_t>(rows * 32 * 64), 0.1f);
  std::vector<float> out(q.size());
  std::vector<AttentionRow> batch;
  for (std::int64_t r = 0; r < rows; ++r) {
    batch.push_back({.q = q.data() + r * 32 * 64,
                     .out = out.data() + r * 32 * 64,
                     .pages = pages.data(),
                     .position = positions - rows + r});
  }
  core::AlignedBuffer scratch = allocate(ops->attention_scratch_bytes(args));
  for (auto _ : state) {
    for (int h = 0; h < args.kv.n_kv_heads; ++h) {
      for (std::int64_t r = 0; r < rows; r += ops->attention_row_tile) {
        ops->attention(args, batch.data() + r, std::min(ops->attention_row_tile, rows - r), h,
                       scratch.data());
      }
    }
    benchmark::ClobberMemory();
  }
  double visible = 0;
  for (const AttentionRow& row : batch) visible += static_cast<double>(row.position + 1);
  const double operations = 4.0 * 32 * 64 * visible * static_cast<double>(state.iterations());
  state.counters["GFLOP/s"] = benchmark::Counter(operations * 1e-9, benchmark::Counter::kIsRate);
  state.counters["share"] =
      benchmark::Counter(operations / peak(*ops, InputFormat::f32), benchmark::Counter::kIsRate);
}

/// Reads a large buffer once per iteration: the roofline of decoding.
void bench_read_bandwidth(benchmark::State& state) {
  const std::size_t bytes = std::size_t{512} << 20;
  core::AlignedBuffer memory = allocate(bytes);
  std::memset(memory.data(), 1, bytes);
  const auto* words = memory.as<std::uint64_t>();
  for (auto _ : state) {
    std::uint64_t sums[8] = {};
    for (std::size_t n = 0; n < bytes / 8; n += 8) {
      __builtin_prefetch(words + n + 512);  // 4 KiB ahead, as the kernels do
      for (std::size_t lane = 0; lane < 8; ++lane) sums[lane] += words[n + lane];
    }
    benchmark::DoNotOptimize(sums);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
}

void register_all() {
  const Shape shapes[] = {{2048, 2048}, {2048, 5632}, {2048, 32000}, {5632, 2048}};
  const DType dtypes[] = {DType::f32,  DType::f16,  DType::bf16, DType::q8_0,  DType::q4_0,
                          DType::q4_1, DType::q5_0, DType::q5_1, DType::q2_k,  DType::q3_k,
                          DType::q4_k, DType::q5_k, DType::q6_k, DType::iq4_nl};
  for (const Ops* ops : available_ops()) {
    if (ops->name == "ref") continue;  // seconds per product
    const std::string isa(ops->name);
    for (const DType dtype : dtypes) {
      for (const Shape& shape : shapes) {
        for (const std::int64_t tokens : {1, 8, 512}) {
          const std::string name = isa + "/" + std::string(to_string(dtype)) + "/" +
                                   std::to_string(shape.cols) + "x" + std::to_string(shape.rows) +
                                   "/M" + std::to_string(tokens);
          benchmark::RegisterBenchmark(name.c_str(), bench_matmul, ops, dtype, shape, tokens);
        }
      }
    }
    for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
      for (const std::int64_t rows : {1, 256}) {
        const std::string name = isa + "/attention_" + std::string(to_string(dtype)) +
                                 "/context1024/M" + std::to_string(rows);
        benchmark::RegisterBenchmark(name.c_str(), bench_attention, ops, dtype, 1024, rows);
      }
    }
  }
  benchmark::RegisterBenchmark("read_bandwidth", bench_read_bandwidth);
}

}  // namespace
}  // namespace llm::kernels

int main(int argc, char** argv) {
  llm::kernels::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
