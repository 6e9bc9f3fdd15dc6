#include "sampling/scan.h"

#include <array>
#include <cfloat>
#include <limits>

#include "core/error.h"

namespace llm::sampling {
namespace {

constexpr float kMasked = -std::numeric_limits<float>::infinity();

// 1 for NaN and +infinity. Gathered without leaving the loop, so that it is vectorised.
unsigned is_bad(float logit) { return logit <= FLT_MAX ? 0U : 1U; }

struct BlockScan {
  float highest = kMasked;
  unsigned bad = 0;
};

BlockScan scan_block(std::span<const float> values) {
  // Independent lanes: one running maximum would wait for itself at every element.
  constexpr std::size_t kLanes = 16;
  std::array<float, kLanes> highest;
  std::array<unsigned, kLanes> bad{};
  highest.fill(kMasked);
  std::size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float value = values[i + lane];
      highest[lane] = value > highest[lane] ? value : highest[lane];
      bad[lane] |= is_bad(value);
    }
  }
  BlockScan scan;
  for (; i < values.size(); ++i) {
    scan.highest = std::max(scan.highest, values[i]);
    scan.bad |= is_bad(values[i]);
  }
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    scan.highest = std::max(scan.highest, highest[lane]);
    scan.bad |= bad[lane];
  }
  return scan;
}

}  // namespace

Status check_logits(std::span<const float> logits) {
  unsigned bad = 0;
  for (const float logit : logits) bad |= is_bad(logit);
  if (bad == 0) return {};
  for (std::size_t id = 0; id < logits.size(); ++id) {
    if (is_bad(logits[id]) != 0) {
      return core::internal_error("logit of token {} is {} (expected a finite number)", id,
                                  logits[id]);
    }
  }
  return {};
}

Status copy_logits(std::span<const float> logits, std::span<float> copy) {
  unsigned bad = 0;
  for (std::size_t id = 0; id < logits.size(); ++id) {
    copy[id] = logits[id];
    bad |= is_bad(logits[id]);
  }
  return bad == 0 ? Status() : check_logits(logits);
}

Result<ScannedRow> scan_row(std::span<const float> logits, std::span<float> block_highest) {
  ScannedRow row{logits, block_highest.first(blocks_of(logits.size())), kMasked};
  unsigned bad = 0;
  for (std::size_t block = 0; block < row.block_highest.size(); ++block) {
    const BlockScan scan = scan_block(row.block(block));
    block_highest[block] = scan.highest;
    row.highest = std::max(row.highest, scan.highest);
    bad |= scan.bad;
  }
  if (bad != 0) LLM_RETURN_IF_ERROR(check_logits(logits));
  return row;
}

}  // namespace llm::sampling
