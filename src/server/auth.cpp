#include "server/auth.h"

#include "server/api_error.h"

namespace llm::server {

bool equal_in_constant_time(std::string_view given, std::string_view secret) {
  if (secret.empty()) return given.empty();
  unsigned difference = given.size() == secret.size() ? 0 : 1;
  for (std::size_t at = 0; at < given.size(); ++at) {
    const auto a = static_cast<unsigned char>(given[at]);
    const auto b = static_cast<unsigned char>(secret[at % secret.size()]);
    difference |= static_cast<unsigned>(a ^ b);
  }
  return difference == 0;
}

std::optional<HttpResponse> KeyCheck::check(const HttpRequest& request) const {
  constexpr std::string_view kScheme = "Bearer ";
  if (key_.empty()) return std::nullopt;
  std::string_view given = request.header("x-api-key");
  const std::string_view authorization = request.header("authorization");
  if (authorization.size() > kScheme.size() &&
      equal_ignoring_case(authorization.substr(0, kScheme.size()), kScheme)) {
    given = authorization.substr(kScheme.size());
  } else if (given.empty() && authorization.empty()) {
    HttpResponse refusal = error_response(ApiError::missing_api_key, "Missing API key");
    refusal.headers.push_back({"WWW-Authenticate", "Bearer"});
    return refusal;
  }
  if (equal_in_constant_time(given, key_)) return std::nullopt;
  HttpResponse refusal = error_response(ApiError::invalid_api_key, "Invalid or missing API key");
  refusal.headers.push_back({"WWW-Authenticate", "Bearer"});
  return refusal;
}

}  // namespace llm::server
