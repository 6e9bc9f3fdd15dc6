// HttpApp: what happens to a request between the connection and its route: request id, preflight,
// routing, authentication, media type, the headers of every reply, and the log line. The connection
// calls admit() once the header block is there and answer() once the body is. Thread-safe once
// requests are served.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/auth.h"
#include "server/http_message.h"
#include "server/router.h"

namespace llm::server {

class HttpApp {
 public:
  HttpApp(Router router, KeyCheck keys, std::vector<std::string> cors_origins);

  struct Admission {
    const Route* route = nullptr;         ///< null: there is none, and a refusal
    std::optional<HttpResponse> refusal;  ///< answer with this and do not read the body
  };
  /// Gives the request its id and looks at everything but the body. `has_body`: one follows.
  Admission admit(HttpRequest& request, bool has_body) const;

  /// Runs the route; whatever it throws becomes a 500.
  HttpResponse answer(const Route& route, const HttpRequest& request) const;

  /// Gives errors the shape of the route's API, and adds the headers that every reply has. `route`
  /// is null when none was found.
  void complete(const Route* route, const HttpRequest& request, HttpResponse& response) const;

 private:
  HttpResponse preflight() const;
  bool origin_allowed(std::string_view origin) const;

  const Router router_;
  const KeyCheck keys_;
  const std::vector<std::string> cors_origins_;
};

/// The caller's id when it is short and printable, else a new one.
std::string choose_request_id(std::string_view wanted);

}  // namespace llm::server
