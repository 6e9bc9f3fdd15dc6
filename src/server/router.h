// Router: the table of routes. Filled before the first request, read-only afterwards.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http_message.h"

namespace llm::server {

enum class Access : std::uint8_t { open, key };
/// The shape of error bodies: server/api_error.h.
enum class ErrorShape : std::uint8_t { jobs, openai };

struct Route {
  std::string method;  ///< "GET", "POST" or "DELETE"; only POST takes a body
  /// "/v1/jobs/{id}": a {..} part matches one path segment, percent-decoded; {name...} the whole
  /// rest.
  std::string pattern;
  Access access = Access::key;
  ErrorShape errors = ErrorShape::jobs;
  /// Runs on the worker pool rather than the network thread: it may take milliseconds.
  bool slow = false;
  /// Answers with a stream (so HEAD has no meaning).
  bool streams = false;
  std::string summary;  ///< for docs/api.md and the OpenAPI document
  std::string body;     ///< of a POST: the schema there
  std::function<HttpResponse(const HttpRequest&)> handle;
};

class Router {
 public:
  void add(Route route) { routes_.push_back(std::move(route)); }
  const std::vector<Route>& routes() const { return routes_; }

  struct Match {
    const Route* route = nullptr;  ///< null: see `allowed`
    const Route* other = nullptr;  ///< of a known path whose methods are others: one of its routes
    std::vector<std::string> params;
    std::string allowed;  ///< methods of a known path, comma-separated; empty: unknown path
  };
  Match match(std::string_view method, std::string_view path) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace llm::server
