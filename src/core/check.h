// LLM_CHECK: always-on assertion for programmer errors. Never reachable from a file, a request or
// any other input; those are answered with a Status.
#pragma once

namespace llm::core {

/// Prints the failed condition with its place to stderr and aborts.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace llm::core

#define LLM_CHECK(condition) \
  ((condition) ? void(0) : ::llm::core::check_failed(#condition, __FILE__, __LINE__))
