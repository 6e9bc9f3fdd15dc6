// Decoder: the transformer itself: embedding, a loop over layers, final norm, output head. Knows no
// architecture by name. Owns weights, cache and work space; nothing is allocated in a step. One
// thread calls it at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "models/kv_cache.h"
#include "models/network.h"
#include "models/step.h"

namespace llm::models {

class Decoder {
 public:
  /// `compute.thread_scratch` is allocated here. The cache must fit the network.
  static Result<std::unique_ptr<Decoder>> create(Network network, std::vector<Rope> ropes,
                                                 KvCache cache, StepSizes sizes,
                                                 const kernels::Ops& ops, core::ThreadPool& pool);

  std::int64_t max_rows() const { return step_.sizes().max_rows; }
  std::int64_t max_logit_rows() const { return step_.sizes().max_logit_rows; }
  std::int64_t vocab_size() const { return step_.sizes().vocab_size; }

  /// Runs a batch of 1..max_rows() rows: fills the cache and prepares the rows that want logits.
  /// Fails when the model file cannot be read any more; then the cache's pages of these rows hold
  /// nothing of use.
  Status forward(const Batch& batch);
  /// Rows of the last batch that wanted logits.
  std::int64_t wanted_rows() const { return wanted_rows_; }
  /// Logits of wanted rows [first, first + count), count <= max_logit_rows(); (count, vocab_size),
  /// valid until the next call.
  std::span<const float> logits(std::int64_t first, std::int64_t count);

  KvCache& cache() { return cache_; }
  /// That of the layers which see the whole sequence; its epoch() is the model's.
  const Rope& rope() const { return ropes_.front(); }
  std::size_t weight_bytes() const { return network_.bytes(); }
  std::size_t scratch_bytes() const { return step_.bytes() + scratch_.footprint(scratch_.size()); }
  /// The same of a decoder to be made with `threads` threads.
  static Result<std::size_t> scratch_bytes_for(const Network& network,
                                               const kernels::KvShape& kv_shape,
                                               const StepSizes& sizes, std::span<const Rope> ropes,
                                               const kernels::Ops& ops, int threads);

 private:
  Decoder(Network network, std::vector<Rope> ropes, KvCache cache, Step step,
          core::AlignedBuffer scratch, Compute compute);
  Status embed();
  void run_layer(const Layer& layer, std::int64_t index);
  void add_to_x(const float* branch);
  void gather_wanted();

  Network network_;
  std::vector<Rope> ropes_;
  KvCache cache_;
  Step step_;
  core::AlignedBuffer scratch_;
  Compute compute_;
  std::int64_t wanted_rows_ = 0;
};

}  // namespace llm::models
