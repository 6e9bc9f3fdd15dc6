#include "server/router.h"

#include <algorithm>

namespace llm::server {
namespace {

// The matched {..} segments, or nothing when the path is another one.
std::optional<std::vector<std::string>> match_path(std::string_view pattern,
                                                   std::string_view path) {
  std::vector<std::string> params;
  while (!pattern.empty() && !path.empty()) {
    if (pattern.front() == '{') {
      const std::string_view name = pattern.substr(0, pattern.find('}') + 1);
      const bool whole_rest = name.find("...}") != std::string_view::npos;
      const std::string_view part = whole_rest ? path : path.substr(0, path.find('/'));
      if (part.empty()) return std::nullopt;
      params.push_back(percent_decode(part, false));
      path.remove_prefix(part.size());
      pattern.remove_prefix(name.size());
    } else if (pattern.front() == path.front()) {
      pattern.remove_prefix(1);
      path.remove_prefix(1);
    } else {
      return std::nullopt;
    }
  }
  if (!pattern.empty() || !path.empty()) return std::nullopt;
  return params;
}

}  // namespace

Router::Match Router::match(std::string_view method, std::string_view path) const {
  Match result;
  for (const Route& route : routes_) {
    auto params = match_path(route.pattern, path);
    if (!params) continue;
    const bool as_head = method == "HEAD" && route.method == "GET" && !route.streams;
    if (route.method == method || as_head) {
      result.route = &route;
      result.other = nullptr;
      result.params = std::move(*params);
      result.allowed.clear();
      return result;
    }
    result.other = &route;
    if (!result.allowed.empty()) result.allowed += ", ";
    result.allowed += route.method;
    if (route.method == "GET" && !route.streams) result.allowed += ", HEAD";
  }
  if (!result.allowed.empty()) result.allowed += ", OPTIONS";
  return result;
}

}  // namespace llm::server
