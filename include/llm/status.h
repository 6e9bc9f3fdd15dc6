// Status and Result<T>: how every operation that can fail because of a user, a file or a socket
// reports it. A Status is a code plus a one-line message that names the place, what was found and
// what was expected. Result<T> holds either a value or a non-ok Status; its member names follow
// std::expected (C++23) so that it can become an alias later. Value types, no locking.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "llm/export.h"

namespace llm {

/// What went wrong, coarsely; the HTTP status and the exit code derive from it.
enum class StatusCode : std::uint8_t {
  ok,
  invalid_argument,    ///< the caller's request or option is wrong
  not_found,           ///< a named thing does not exist
  unsupported,         ///< understood, but this build or this model cannot do it
  corrupt_data,        ///< a file's bytes contradict its format
  resource_exhausted,  ///< memory, queue or context is too small
  unavailable,         ///< not now: loading, draining, port in use
  cancelled,           ///< stopped on request
  deadline_exceeded,   ///< ran out of the time given
  io_error,            ///< the operating system refused a read or a write
  internal,            ///< a defect of this program
};

/// Stable lower-case name of a code, e.g. "corrupt_data".
LLM_API std::string_view to_string(StatusCode code);

/// Memory that was wanted and is not there.
struct MemoryShortage {
  std::uint64_t required_bytes = 0;
  std::uint64_t available_bytes = 0;
};

/// Outcome of an operation without a value. Default-constructed: ok.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message, std::int64_t retry_after_ms = 0)
      : code_(code), message_(std::move(message)), retry_after_ms_(retry_after_ms) {}

  bool ok() const { return code_ == StatusCode::ok; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }
  /// Of `unavailable`: when trying again may help, as estimated; 0: not known, or never.
  std::int64_t retry_after_ms() const { return retry_after_ms_; }
  /// Of `resource_exhausted`, where the numbers are known that its message names.
  const std::optional<MemoryShortage>& shortage() const { return shortage_; }

  /// The same status with "prefix: " in front of its message; ok stays ok.
  Status with_prefix(std::string_view prefix) const {
    Status result = *this;
    if (!ok()) result.message_.insert(0, std::string(prefix) + ": ");
    return result;
  }
  Status with_shortage(MemoryShortage shortage) const {
    Status result = *this;
    result.shortage_ = shortage;
    return result;
  }

 private:
  StatusCode code_ = StatusCode::ok;
  std::string message_;
  std::int64_t retry_after_ms_ = 0;
  std::optional<MemoryShortage> shortage_;
};

/// A T, or the Status that says why there is none. Reading the wrong side is a programmer error
/// (std::bad_variant_access).
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}          // NOLINT(*explicit*)
  Result(Status status) : state_(std::in_place_index<1>, std::move(status)) {}  // NOLINT(*explicit*)

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  const Status& error() const { return std::get<1>(state_); }
  /// ok when there is a value, else the error.
  Status status() const { return has_value() ? Status() : error(); }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace llm

#define LLM_CONCAT_INNER(a, b) a##b
#define LLM_CONCAT(a, b) LLM_CONCAT_INNER(a, b)

/// Returns from the enclosing function when `expr` (a Status) is not ok.
#define LLM_RETURN_IF_ERROR(expr)                       \
  do {                                                  \
    if (::llm::Status llm_status_ = (expr); !llm_status_.ok()) return llm_status_; \
  } while (false)

/// `LLM_ASSIGN_OR_RETURN(auto x, f());` binds the value or returns the error.
#define LLM_ASSIGN_OR_RETURN(lhs, expr) \
  LLM_ASSIGN_OR_RETURN_IMPL(LLM_CONCAT(llm_result_, __LINE__), lhs, expr)
#define LLM_ASSIGN_OR_RETURN_IMPL(tmp, lhs, expr) \
  auto tmp = (expr);                              \
  if (!tmp.has_value()) return tmp.error();       \
  lhs = std::move(tmp).value()
