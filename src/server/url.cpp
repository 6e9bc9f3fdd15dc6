#include "server/url.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstdint>

#include "core/error.h"

namespace llm::server {

std::string Url::authority() const {
  return host.find(':') == std::string::npos ? host + ":" + port : "[" + host + "]:" + port;
}

Result<Url> parse_url(std::string_view text) {
  constexpr std::string_view kScheme = "http://";
  if (text.substr(0, kScheme.size()) != kScheme) {
    return core::invalid_argument("URL \"{}\": must start with http:// (TLS is not supported)",
                                  text);
  }
  for (const char c : text) {
    if (c <= ' ' || c > '~' || c == '?' || c == '#' || c == '@') {
      return core::invalid_argument(
          "URL \"{}\": must be http://host[:port][/path], without spaces, user, query or fragment",
          text);
    }
  }
  std::string_view rest = text.substr(kScheme.size());
  Url url{.host = {}, .port = "80", .base = {}};
  std::string_view authority = rest.substr(0, rest.find('/'));
  url.base = std::string(rest.substr(authority.size()));
  while (!url.base.empty() && url.base.back() == '/') url.base.pop_back();

  std::string_view port;
  if (!authority.empty() && authority.front() == '[') {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) {
      return core::invalid_argument("URL \"{}\": ']' is missing", text);
    }
    url.host = std::string(authority.substr(1, close - 1));
    port = authority.substr(close + 1);
  } else {
    url.host = std::string(authority.substr(0, authority.find(':')));
    port = authority.substr(url.host.size());
  }
  if (url.host.empty()) return core::invalid_argument("URL \"{}\": the host is missing", text);
  if (!port.empty()) {
    if (port.front() == ':') port.remove_prefix(1);
    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (error != std::errc() || end != port.data() + port.size() || number == 0) {
      return core::invalid_argument("URL \"{}\": port must be 1 to 65535", text);
    }
    url.port = std::to_string(number);
  }
  return url;
}

bool is_loopback_host(std::string_view host) {
  if (host == "localhost") return true;
  const std::string text(host);
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24U) == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, text.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

}  // namespace llm::server
