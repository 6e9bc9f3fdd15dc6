#include "server/http_app.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "core/log.h"
#include "server/api_error.h"
#include "server/identity.h"

namespace llm::server {
namespace {

bool is_json(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
  return equal_ignoring_case(type, "application/json");
}

// Clients in browsers send headers of their own (the OpenAI package a dozen): whom the origin lets
// in may send what it asks for.
std::string allowed_headers(const HttpRequest& request) {
  constexpr std::size_t kLongest = 1024;
  const std::string_view wanted = request.header("access-control-request-headers");
  const bool usable = !wanted.empty() && wanted.size() <= kLongest &&
                      std::all_of(wanted.begin(), wanted.end(), [](unsigned char c) {
                        return std::isalnum(c) != 0 || c == '-' || c == '_' || c == ',' || c == ' ';
                      });
  return usable ? std::string(wanted)
                : "Authorization, Content-Type, x-api-key, x-request-id, X-Strict";
}

}  // namespace

std::string choose_request_id(std::string_view wanted) {
  constexpr std::size_t kLongestId = 128;
  const bool usable =
      !wanted.empty() && wanted.size() <= kLongestId &&
      std::all_of(wanted.begin(), wanted.end(), [](char c) { return c > ' ' && c <= '~'; });
  return usable ? std::string(wanted) : random_uuid();
}

HttpApp::HttpApp(Router router, KeyCheck keys, std::vector<std::string> cors_origins)
    : router_(std::move(router)), keys_(std::move(keys)), cors_origins_(std::move(cors_origins)) {}

HttpApp::Admission HttpApp::admit(HttpRequest& request, bool has_body) const {
  request.request_id = choose_request_id(request.header("x-request-id"));
  if (request.method == "OPTIONS") return {.route = nullptr, .refusal = preflight()};
  Router::Match match = router_.match(request.method, request.path);
  if (match.route == nullptr) {
    if (match.allowed.empty()) {
      return {.route = nullptr, .refusal = error_response(ApiError::not_found, "no such route")};
    }
    HttpResponse refusal = error_response(ApiError::method_not_allowed,
                                          fmt::format("this route answers {} only", match.allowed));
    refusal.headers.push_back({"Allow", match.allowed});
    return {.route = match.other, .refusal = std::move(refusal)};
  }
  request.path_params = std::move(match.params);
  if (match.route->access == Access::key) {
    if (auto refusal = keys_.check(request)) {
      core::log(core::LogLevel::warning, "request_id={} {}: refused, no valid API key",
                request.request_id, shown_in_log(request));
      return {.route = match.route, .refusal = std::move(refusal)};
    }
  }
  if (match.route->method == "POST") {
    if (!is_json(request.header("content-type"))) {
      return {.route = match.route,
              .refusal = error_response(ApiError::unsupported_media_type,
                                        "the body must be sent as application/json")};
    }
    if (const auto encoding = request.header("content-encoding");
        !encoding.empty() && !equal_ignoring_case(encoding, "identity")) {
      return {.route = match.route,
              .refusal = error_response(ApiError::unsupported_media_type,
                                        "a content-encoding of the body is not supported")};
    }
  } else if (has_body) {
    return {.route = match.route,
            .refusal = error_response(ApiError::invalid_request,
                                      fmt::format("{} takes no body", request.method))};
  }
  return {.route = match.route, .refusal = std::nullopt};
}

HttpResponse HttpApp::answer(const Route& route, const HttpRequest& request) const {
  std::string problem;
  try {
    return route.handle(request);
  } catch (const std::exception& error) {  // out of memory, or thrown by a library
    problem = error.what();
  }
  core::log(core::LogLevel::error, "request_id={} {}: {}", request.request_id,
            shown_in_log(request), problem);
  return error_response(ApiError::internal, "the worker failed to answer this request");
}

bool HttpApp::origin_allowed(std::string_view origin) const {
  return std::any_of(cors_origins_.begin(), cors_origins_.end(), [&](const std::string& allowed) {
    return allowed == "*" || allowed == origin;
  });
}

HttpResponse HttpApp::preflight() const {
  HttpResponse response;
  response.status = 204;
  response.content_type.clear();
  response.headers = {{"Allow", "GET, HEAD, POST, DELETE, OPTIONS"}};
  return response;
}

void HttpApp::complete(const Route* route, const HttpRequest& request,
                       HttpResponse& response) const {
  if (response.problem && route != nullptr && route->errors == ErrorShape::openai) {
    response.body = to_text(openai_error(*response.problem));
  }
  response.headers.push_back({"x-request-id", request.request_id});
  if (cors_origins_.empty()) return;
  response.headers.push_back({"Vary", "Origin"});
  const std::string_view origin = request.header("origin");
  if (origin.empty() || !origin_allowed(origin)) return;
  response.headers.push_back({"Access-Control-Allow-Origin", std::string(origin)});
  response.headers.push_back({"Access-Control-Expose-Headers", "x-request-id, Retry-After"});
  if (request.method == "OPTIONS") {
    response.headers.push_back({"Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS"});
    response.headers.push_back({"Access-Control-Allow-Headers", allowed_headers(request)});
    response.headers.push_back({"Access-Control-Max-Age", "600"});
  }
}

}  // namespace llm::server
