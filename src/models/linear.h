// Linear: one weight matrix prepared for a backend, and LinearGroup: matrices that read the same
// rows and write side by side (q|k|v, gate|up), run as one parallel loop even when their types
// differ. Both own their packed weights unless those are mapped from a file, which then lives
// longer (Network::packed). apply() is called by one thread, which spreads the work over the pool.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/thread_pool.h"
#include "kernels/kernels.h"
#include "llm/status.h"

namespace llm::models {

/// What running a piece of the graph needs: the operations, the threads, and scratch per thread.
struct Compute {
  const kernels::Ops* ops = nullptr;
  core::ThreadPool* pool = nullptr;
  std::byte* thread_scratch = nullptr;  // (pool->size(), thread_scratch_bytes)
  std::size_t thread_scratch_bytes = 0;

  std::byte* scratch(int thread) const {
    return thread_scratch + static_cast<std::size_t>(thread) * thread_scratch_bytes;
  }
  /// Runs body(begin, end) over slices of `rows`, in parallel.
  void for_rows(std::int64_t rows,
                core::FunctionRef<void(std::int64_t begin, std::int64_t end)> body) const;
};

/// Activation rows on their way into matrix products. Forms other than f32 are made when the first
/// matrix asks for them, once.
class MatmulInput {
 public:
  /// `buffers[f]` holds rows of form f, each large enough for the widest input.
  explicit MatmulInput(std::array<std::byte*, kernels::kInputFormats> buffers)
      : buffers_(buffers) {}

  /// New content: x is (rows, cols), contiguous, and must stay until the products are done.
  void set(const float* x, std::int64_t rows, std::int64_t cols);
  std::int64_t rows() const { return rows_; }
  const std::byte* as(kernels::InputFormat format, const Compute& compute);

 private:
  std::array<std::byte*, kernels::kInputFormats> buffers_;
  std::array<bool, kernels::kInputFormats> ready_{};
  const float* x_ = nullptr;
  std::int64_t rows_ = 0;
  std::int64_t cols_ = 0;
};

struct Linear {
  kernels::PackedMatrix matrix;
  core::AlignedBuffer storage;  // of the matrix's data; empty when that is mapped
  std::vector<float> bias;      // (rows) or empty

  /// Memory of it, also when the storage was not allocated (LoadMode::plan, mapped weights).
  std::size_t bytes() const {
    const std::size_t packed = static_cast<std::size_t>(matrix.panels()) * matrix.panel_bytes;
    return core::AlignedBuffer::footprint(packed) + bias.size() * sizeof(float);
  }
};

class LinearGroup {
 public:
  LinearGroup() = default;
  explicit LinearGroup(std::vector<Linear> members) : members_(std::move(members)) {}

  /// y[t] = concatenation of the members' outputs (each optionally added to what y holds).
  /// y: (input.rows(), outputs()), rows `y_stride` floats apart.
  void apply(MatmulInput& input, float* y, std::int64_t y_stride, bool accumulate,
             const Compute& compute) const;

  /// y[t] = activation(the first member's outputs) * the second's, or without the factor where
  /// there is one member; both have as many outputs. One thread activates the columns that it has
  /// just multiplied, while they are in its cache. y: (input.rows(), outputs of a member),
  /// contiguous; `work`: (input.rows(), outputs()).
  void apply_activated(MatmulInput& input, kernels::Activation activation, float* work, float* y,
                       const Compute& compute) const;

  std::int64_t outputs() const;
  std::size_t bytes() const;
  const std::vector<Linear>& members() const { return members_; }

 private:
  std::vector<Linear> members_;
};

}  // namespace llm::models
