// Addresses: plain http URLs, and which hosts are this machine alone.
#pragma once

#include <string>
#include <string_view>

#include "llm/status.h"

namespace llm::server {

struct Url {
  std::string host;  ///< without the brackets of an IPv6 address
  std::string port;
  std::string base;  ///< path without the final '/', e.g. "" or "/hive"
  /// "host:port" for the Host header.
  std::string authority() const;
};

/// http only; there is no TLS in this program.
Result<Url> parse_url(std::string_view text);

/// "localhost", 127.x.x.x or ::1.
bool is_loopback_host(std::string_view host);

}  // namespace llm::server
