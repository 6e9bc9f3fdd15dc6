// The API key: who may call the routes that are not public. Immutable.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "server/http_message.h"

namespace llm::server {

class KeyCheck {
 public:
  /// An empty key lets everyone in.
  explicit KeyCheck(std::string key) : key_(std::move(key)) {}

  /// The refusal, or nothing when the request carries the key as `Authorization: Bearer` or
  /// `x-api-key`.
  std::optional<HttpResponse> check(const HttpRequest& request) const;

 private:
  std::string key_;
};

/// Compares in a time that depends on the length of `given` alone.
bool equal_in_constant_time(std::string_view given, std::string_view secret);

}  // namespace llm::server
