#include "cli/command.h"

#include <fmt/core.h>

#include <cstdio>

namespace llm::cli {

int report(const Status& status) {
  if (status.ok()) return kExitOk;
  fmt::print(stderr, "error: {}\n", status.message());
  return kExitError;
}

int report_usage(const std::string& message) {
  fmt::print(stderr, "error: {}\n", message);
  return kExitUsage;
}

}  // namespace llm::cli
