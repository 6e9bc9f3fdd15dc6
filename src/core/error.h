// Short constructors for Status values with a formatted message ({fmt} syntax).
#pragma once

#include <fmt/core.h>

#include <utility>

#include "llm/status.h"

namespace llm::core {

template <class... Args>
Status invalid_argument(fmt::format_string<Args...> format, Args&&... args) {
  return {StatusCode::invalid_argument, fmt::format(format, std::forward<Args>(args)...)};
}
template <class... Args>
Status not_found(fmt::format_string<Args...> format, Args&&... args) {
  return {StatusCode::not_found, fmt::format(format, std::forward<Args>(args)...)};
}
template <class... Args>
Status unsupported(fmt::format_string<Args...> format, Args&&... args) {
  return {StatusCode::unsupported, fmt::format(format, std::forward<Args>(args)...)};
}
template <class... Args>
Status corrupt_data(fmt::format_string<Args...> format, Args&&... args) {
  return {StatusCode::corrupt_data, fmt::format(format, std::forward<Args>(args)...)};
}
template <class... Args>
Status resource_exhausted(fmt::format_string<Args...> format, Args&&... args) {
  return {StatusCode::resource_exhausted, fmt::format(format, std::forward<Args>(args)...)};
}
template <class... Args>
Status unavailable(fmt::format_string<Args...> format, Args&&... args) {
  return {StatusCode::unavailable, fmt::format(format, std::forward<Args>(args)...)};
}
template <class... Args>
Status io_error(fmt::format_string<Args...> format, Args&&... args) {
  return {StatusCode::io_error, fmt::format(format, std::forward<Args>(args)...)};
}
template <class... Args>
Status internal_error(fmt::format_string<Args...> format, Args&&... args) {
  return {StatusCode::internal, fmt::format(format, std::forward<Args>(args)...)};
}

}  // namespace llm::core
