// guarded: an exception becomes a status. Our code does not throw: what does is the standard
// library out of memory, or an observer.
#pragma once

#include <exception>
#include <new>
#include <string_view>

#include "core/error.h"
#include "llm/status.h"

namespace llm::engine {

/// Runs `work`, which returns a Status; `what` it was is said in front of an exception's message.
template <class Work>
Status guarded(std::string_view what, Work work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return core::resource_exhausted("{}: out of memory", what);
  } catch (const std::exception& error) {
    return core::internal_error("{}: {}", what, error.what());
  } catch (...) {
    return core::internal_error("{}: an unknown exception", what);
  }
}

}  // namespace llm::engine
