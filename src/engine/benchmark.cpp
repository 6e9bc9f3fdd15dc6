#include "engine/benchmark.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/error.h"
#include "core/thread_pool.h"
#include "engine/block_manager.h"
#include "engine/describe_model.h"
#include "engine/machine_limits.h"
#include "engine/step_work.h"

namespace llm::engine {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kInputFormatNames[kernels::kInputFormats] = {"f32", "f16", "bf16", "q8"};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

// What one run has to compute and to read.
struct Work {
  double operations = 0;
  double bytes = 0;
};

// What the machine can do at most, measured before and after every run: clocks and neighbours
// change it.
class Machine {
 public:
  Machine(const kernels::Ops& ops, kernels::InputFormat format, core::ThreadPool& pool)
      : ops_(ops), format_(format), pool_(pool) {}

  Status start_row() {
    gb_per_s_.clear();
    gflop_per_s_.clear();
    return measure();
  }

  /// After every run of the row.
  Status measure() {
    LLM_ASSIGN_OR_RETURN(const double bandwidth, measure_read_bandwidth(pool_));
    gb_per_s_.push_back(bandwidth / 1e9);
    gflop_per_s_.push_back(measure_peak_operations(ops_, format_, pool_) / 1e9);
    return {};
  }

  void end_row(BenchmarkRow& row) const {
    row.machine_gb_per_s = median(gb_per_s_);
    row.machine_gflop_per_s = median(gflop_per_s_);
    row.share_of_bandwidth = share(row, row.gb_per_s, gb_per_s_);
    row.share_of_peak = share(row, row.gflop_per_s, gflop_per_s_);
  }

 private:
  // Of each run, beside the limit around it. `at_median` is what the median run reached.
  static double share(const BenchmarkRow& row, double at_median,
                      const std::vector<double>& limits) {
    std::vector<double> shares;
    for (std::size_t run = 0; run < row.tokens_per_s.size(); ++run) {
      const double limit = (limits[run] + limits[run + 1]) / 2;
      shares.push_back(at_median * row.tokens_per_s[run] / row.median_tokens_per_s / limit);
    }
    return median(std::move(shares));
  }

  const kernels::Ops& ops_;
  const kernels::InputFormat format_;
  core::ThreadPool& pool_;
  std::vector<double> gb_per_s_, gflop_per_s_;
};

class Benchmark {
 public:
  Benchmark(models::LoadedModel& model, Machine& machine, std::int64_t max_batch,
            std::int64_t depth)
      : model_(model),
        machine_(machine),
        depth_(depth),
        step_work_(model),
        pages_(model.kv_pages, /*prefix_cache=*/false),
        tables_(static_cast<std::size_t>(max_batch)) {}

  /// Gives each sequence pages for `positions`; false when the cache is too small.
  bool allocate(std::int64_t positions) {
    for (PageTable& table : tables_) {
      if (!pages_.grow(table, positions)) return false;
    }
    return true;
  }

  /// ok, or why a step could not be computed or the machine not be measured.
  const Status& failure() const { return failure_; }

  /// Computes the tokens in front of what is measured.
  void fill() {
    const std::int64_t slice = model_.decoder->max_rows();
    for (std::int64_t sequence = 0; sequence < std::ssize(tables_); ++sequence) {
      for (std::int64_t begin = 0; begin < depth_; begin += slice) {
        step(sequence, 1, begin, std::min(slice, depth_ - begin), false);
      }
    }
  }

  BenchmarkRow prefill(std::int64_t tokens, int repetitions) {
    BenchmarkRow row{.name = fmt::format("pp{}", tokens), .batch = 1, .tokens = tokens};
    const std::int64_t slice = model_.decoder->max_rows();
    const std::int64_t end = depth_ + tokens;
    Work work;
    for (std::int64_t begin = depth_; begin < end; begin += slice) {
      add_step(work, 1, begin, std::min(slice, end - begin), begin + slice >= end ? 1 : 0);
    }
    measure(row, repetitions, work, [&] {
      for (std::int64_t begin = depth_; begin < end; begin += slice) {
        step(0, 1, begin, std::min(slice, end - begin), begin + slice >= end);
      }
    });
    return row;
  }

  BenchmarkRow decode(std::int64_t tokens, std::int64_t batch, int repetitions) {
    BenchmarkRow row{.name = fmt::format("tg{}", tokens), .batch = batch, .tokens = tokens};
    if (batch > 1) row.name += fmt::format(" x {}", batch);
    Work work;
    for (std::int64_t n = 0; n < tokens; ++n) add_step(work, batch, depth_ + n, 1, batch);
    measure(row, repetitions, work, [&] {
      for (std::int64_t n = 0; n < tokens; ++n) step(0, batch, depth_ + n, 1, true);
    });
    return row;
  }

 private:
  // One step: `count` positions from `first` on of each of `batch` sequences, `sequence` being the
  // first of them.
  void step(std::int64_t sequence, std::int64_t batch, std::int64_t first, std::int64_t count,
            bool wants_logits) {
    rows_.clear();
    page_tables_.clear();
    for (std::int64_t n = 0; n < batch; ++n) {
      page_tables_.push_back(tables_[static_cast<std::size_t>(sequence + n)].pages.data());
      for (std::int64_t position = first; position < first + count; ++position) {
        rows_.push_back({.token = token_at(sequence + n, position),
                         .position = position,
                         .sequence = static_cast<std::int32_t>(n),
                         .wants_logits = wants_logits && position == first + count - 1});
      }
    }
    models::Decoder& decoder = *model_.decoder;
    keep(decoder.forward({rows_, page_tables_}));
    const std::int64_t wanted = decoder.wanted_rows();
    for (std::int64_t row = 0; row < wanted; row += decoder.max_logit_rows()) {
      (void)decoder.logits(row, std::min(decoder.max_logit_rows(), wanted - row));
    }
  }

  // Which token it is does not matter for the speed; they differ, as in a text.
  std::int32_t token_at(std::int64_t sequence, std::int64_t position) const {
    return static_cast<std::int32_t>((sequence * 7919 + position * 104729 + 1) %
                                     model_.config.vocab_size);
  }

  void add_step(Work& work, std::int64_t batch, std::int64_t first, std::int64_t count,
                std::int64_t logit_rows) const {
    const std::int64_t rows = batch * count;
    work.operations += step_work_.operations(rows, logit_rows);
    work.bytes += step_work_.weight_bytes(rows, logit_rows > 0) +
                  static_cast<double>(batch) * step_work_.cache_bytes(first + count);
    for (std::int64_t position = first; position < first + count; ++position) {
      work.operations += static_cast<double>(batch) * step_work_.attention_operations(position);
    }
  }

  template <class Run>
  void measure(BenchmarkRow& row, int repetitions, const Work& work, Run run) {
    run();  // warms caches and threads up
    keep(machine_.start_row());
    const auto tokens = static_cast<double>(row.tokens * row.batch);
    for (int repetition = 0; repetition < repetitions && failure_.ok(); ++repetition) {
      const auto start = Clock::now();
      run();
      row.tokens_per_s.push_back(tokens /
                                 std::chrono::duration<double>(Clock::now() - start).count());
      keep(machine_.measure());
    }
    if (!failure_.ok()) return;
    if (depth_ > 0) row.name += fmt::format(" @ {}", depth_);
    row.median_tokens_per_s = median(row.tokens_per_s);
    const double runs_per_s = row.median_tokens_per_s / tokens;
    row.gb_per_s = work.bytes * runs_per_s / 1e9;
    row.gflop_per_s = work.operations * runs_per_s / 1e9;
    machine_.end_row(row);
  }

  void keep(Status status) {
    if (!status.ok()) failure_ = std::move(status);
  }

  models::LoadedModel& model_;
  Machine& machine_;
  const std::int64_t depth_;
  const StepWork step_work_;
  BlockManager pages_;
  std::vector<PageTable> tables_;
  Status failure_;
  std::vector<models::BatchRow> rows_;
  std::vector<const std::int32_t*> page_tables_;
};

Status check_options(const BenchmarkOptions& options) {
  if (options.prompt < 0 || options.generate < 0 || options.depth < 0) {
    return core::invalid_argument("numbers of tokens must be at least 0 (got {}, {} and {})",
                                  options.prompt, options.generate, options.depth);
  }
  if (options.repetitions < 1) {
    return core::invalid_argument("repetitions must be at least 1 (got {})", options.repetitions);
  }
  if (options.batches.empty()) return core::invalid_argument("no batch size given");
  for (const std::int64_t batch : options.batches) {
    if (batch < 1 || batch > 512) {
      return core::invalid_argument("batch size must be 1..=512 (got {})", batch);
    }
  }
  return {};
}

}  // namespace

Result<BenchmarkReport> run_benchmark(const std::string& path, const LoadOptions& load,
                                      const BenchmarkOptions& options) {
  LLM_RETURN_IF_ERROR(check_load_options(load));
  LLM_RETURN_IF_ERROR(check_options(options));
  LLM_ASSIGN_OR_RETURN(const kernels::Ops* ops, kernels::select_ops(load.instruction_set));
  LLM_ASSIGN_OR_RETURN(const formats::ModelFile file, formats::ModelFile::open(path));
  core::ThreadPool pool(load.threads > 0 ? load.threads : core::default_thread_count());

  const std::int64_t positions =
      options.depth + std::max<std::int64_t>({options.prompt, options.generate, 1});
  const std::int64_t max_batch = *std::max_element(options.batches.begin(), options.batches.end());
  models::DecoderOptions decoder_options{.dtype = load.dtype,
                                         .kv_dtype = load.kv_dtype,
                                         .context = load.context > 0 ? load.context : positions,
                                         .max_sequences = static_cast<int>(max_batch),
                                         .max_batch_rows = load.max_batch_rows,
                                         .packed_cache = load.packed_cache,
                                         .on_progress = load.on_progress};
  if (decoder_options.context < positions) {
    return core::invalid_argument("context {}: the benchmark needs {} positions",
                                  decoder_options.context, positions);
  }
  LLM_ASSIGN_OR_RETURN(models::LoadedModel model,
                       models::load_decoder(file, decoder_options, *ops, pool));
  BenchmarkReport report;
  report.info = describe_model(file, model, *ops, pool.size());
  const kernels::InputFormat format = ops->input_format(model.types.reported);
  report.input_format = kInputFormatNames[static_cast<std::size_t>(format)];

  Machine machine(*ops, format, pool);
  Benchmark benchmark(model, machine, max_batch, options.depth);
  if (!benchmark.allocate(positions)) {
    return core::resource_exhausted("the KV cache has no room for {} sequences of {} positions",
                                    max_batch, positions);
  }
  benchmark.fill();
  if (options.prompt > 0) {
    report.rows.push_back(benchmark.prefill(options.prompt, options.repetitions));
  }
  if (options.generate > 0) {
    for (const std::int64_t batch : options.batches) {
      report.rows.push_back(benchmark.decode(options.generate, batch, options.repetitions));
    }
  }
  LLM_RETURN_IF_ERROR(benchmark.failure());
  return report;
}

}  // namespace llm::engine
