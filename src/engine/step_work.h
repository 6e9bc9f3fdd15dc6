// StepWork: what the steps of a model compute and what they have to read from memory; for reports
// beside what the machine can do, and for planning how long a step will take. Plain value type.
#pragma once

#include <cstdint>

#include "models/load.h"

namespace llm::engine {

class StepWork {
 public:
  explicit StepWork(const models::LoadedModel& model);

  /// Multiplications and additions of `rows` rows in all layers but for attention's products with
  /// the cache, and of `logit_rows` rows of logits.
  double operations(std::int64_t rows, std::int64_t logit_rows) const;
  /// Those of one row's attention at a position, which grow with it.
  double attention_operations(std::int64_t position) const;
  /// How much more a row costs with each position in front of it, in units of a row at the start of
  /// its sequence. (Where layers see a window only, it is less, later.)
  double cost_per_position() const;

  /// Bytes of weights that a step of `rows` rows reads: each once, of experts the largest number
  /// that the rows can choose, the output head only for logits.
  double weight_bytes(std::int64_t rows, bool wants_logits) const;
  /// Bytes of keys and values in front of one row.
  double cache_bytes(std::int64_t positions) const;

 private:
  double head_parameters_ = 0;
  double layer_parameters_ = 0;   // of all layers
  double active_parameters_ = 0;  // those of them that one row uses
  double head_bytes_ = 0;
  double layer_bytes_ = 0;  // without experts
  double expert_bytes_ = 0;
  double expert_share_ = 0;  // of the experts, used by one row
  double kv_bytes_per_token_ = 0;
  double attention_per_position_ = 0;  // operations of one layer
  std::vector<std::int64_t> windows_;  // (layers), 0: none
};

}  // namespace llm::engine
