#include "models/memory_plan.h"

#include <algorithm>

#include "core/error.h"
#include "core/log.h"
#include "kernels/kernels.h"

namespace llm::models {
namespace {

constexpr std::int64_t kDefaultBatchRows = 512;
constexpr std::int64_t kLeastBatchRows = 32;
constexpr int kDefaultSequences = 16;
// Shorter contexts than this are not chosen: better to say that the model does not fit.
constexpr std::int64_t kLeastContext = 256;
// Of what weights and work space leave; the rest is for everyone else on the machine.
constexpr double kKvShare = 0.8;

std::int64_t pages_for(std::int64_t positions) {
  return (positions + kernels::kKvPageTokens - 1) / kernels::kKvPageTokens;
}

class Divider {
 public:
  Divider(const MemoryWishes& wishes, const MemoryNeeds& needs,
          const core::AvailableMemory& available)
      : wishes_(wishes), needs_(needs), available_(available) {}

  Result<MemoryDivision> divide() {
    const std::int64_t longest = needs_.max_positions;
    if (wishes_.context < 0 || wishes_.context > longest) {
      return core::invalid_argument("context {}: expected 1..={}, what the model is made for",
                                    wishes_.context, longest);
    }
    result_.context = wishes_.context > 0 ? wishes_.context : longest;
    LLM_RETURN_IF_ERROR(choose_sequences());
    LLM_RETURN_IF_ERROR(choose_rows());
    LLM_RETURN_IF_ERROR(choose_pages());
    return result_;
  }

 private:
  Status choose_sequences() {
    const std::int64_t rows = wishes_.batch_rows > 0 ? wishes_.batch_rows : kLeastBatchRows;
    if (wishes_.batch_rows > 0 && wishes_.sequences > rows) {
      return core::invalid_argument(
          "{} sequences at once: each takes a row of every step, and steps have {} rows",
          wishes_.sequences, rows);
    }
    result_.sequences = wishes_.sequences > 0
                            ? wishes_.sequences
                            : static_cast<int>(std::min<std::int64_t>(kDefaultSequences, rows));
    other_ = needs_.other(result_.context, result_.sequences);
    return {};
  }

  // Everything but the cache and its tables.
  Status fix(std::int64_t rows) {
    result_.batch_rows = rows;
    LLM_ASSIGN_OR_RETURN(scratch_, needs_.scratch(rows, result_.sequences));
    fixed_ = needs_.weights + scratch_ + other_;
    return {};
  }

  Status choose_rows() {
    const std::int64_t least = std::max<std::int64_t>(kLeastBatchRows, result_.sequences);
    const std::int64_t most = std::max(kDefaultBatchRows, least);
    LLM_RETURN_IF_ERROR(fix(wishes_.batch_rows > 0 ? wishes_.batch_rows : most));
    while (wishes_.batch_rows == 0 && fixed_ > available_.bytes &&
           result_.batch_rows / 2 >= least) {
      LLM_RETURN_IF_ERROR(fix(result_.batch_rows / 2));
    }
    if (fixed_ <= available_.bytes) return {};
    return core::resource_exhausted(
               "the model does not fit: weights {}, work space {} (steps of {} rows) and tables {} "
               "are {} bytes, available are {}",
               needs_.weights, scratch_, result_.batch_rows, other_, fixed_, available_.describe())
        .with_shortage({fixed_, available_.bytes});
  }

  // Room for several full contexts, or as much as memory allows.
  Status choose_pages() {
    const std::size_t left = available_.bytes - fixed_;
    const std::size_t page = needs_.page + needs_.tables_per_page;
    std::size_t budget = static_cast<std::size_t>(static_cast<double>(left) * kKvShare);
    if (wishes_.kv_cache_bytes > 0) {
      const std::size_t pages = wishes_.kv_cache_bytes / needs_.page;
      if (pages * page > left) {
        return core::resource_exhausted(
                   "a KV cache of {} bytes: weights and work space leave {}, available are {}",
                   wishes_.kv_cache_bytes, left, available_.describe())
            .with_shortage({fixed_ + pages * page, available_.bytes});
      }
      budget = pages * page;
    }
    const auto affordable = static_cast<std::int64_t>(budget / page);
    const std::int64_t one = pages_for(result_.context);
    if (affordable < one) return shorten_context(affordable, budget);
    result_.pages =
        wishes_.kv_cache_bytes > 0 ? affordable : std::min(one * result_.sequences, affordable);
    return {};
  }

  Status shorten_context(std::int64_t affordable, std::size_t budget) {
    const std::int64_t fits = affordable * kernels::kKvPageTokens;
    const std::int64_t least = std::min(kLeastContext, result_.context);
    const std::size_t cache = static_cast<std::size_t>(pages_for(result_.context)) * needs_.page;
    if (wishes_.context > 0 || fits < least) {
      return core::resource_exhausted(
                 "context {}: its KV cache needs {} bytes; beside {} bytes of weights and work "
                 "space, {} bytes may be used for it, which is enough for {} positions; available "
                 "are {}",
                 result_.context, cache, fixed_, budget, fits, available_.describe())
          .with_shortage({fixed_ + cache, fixed_ + budget});
    }
    core::log(core::LogLevel::warning,
              "context cut from {} to {} positions, for which {} bytes of KV cache are enough; "
              "available are {}",
              result_.context, fits, budget, available_.describe());
    result_.context = fits;
    result_.pages = affordable;
    return {};
  }

  const MemoryWishes& wishes_;
  const MemoryNeeds& needs_;
  const core::AvailableMemory& available_;
  MemoryDivision result_;
  std::size_t scratch_ = 0;
  std::size_t other_ = 0;
  std::size_t fixed_ = 0;
};

}  // namespace

Result<MemoryDivision> divide_memory(const MemoryWishes& wishes, const MemoryNeeds& needs,
                                     const core::AvailableMemory& available) {
  return Divider(wishes, needs, available).divide();
}

}  // namespace llm::models
