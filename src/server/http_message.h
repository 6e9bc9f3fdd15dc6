// HttpRequest, HttpResponse, StreamSource and PendingReply: HTTP as the routes see it, free of any
// network library. Plain value types; a StreamSource says its own thread rule.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.h"

namespace llm::server {

struct HeaderField {
  std::string name;
  std::string value;
};

struct HttpRequest {
  std::string method;
  std::string path;                                        ///< up to '?', as sent
  std::vector<std::pair<std::string, std::string>> query;  ///< percent-decoded
  std::vector<HeaderField> headers;
  std::string body;
  std::string request_id;
  std::vector<std::string> path_params;  ///< what the {..} parts of the route matched

  /// Value of the first header with that name (any case); empty when absent.
  std::string_view header(std::string_view name) const;
};

/// Splits "path?a=1&b=2" into request.path and request.query.
void set_target(HttpRequest& request, std::string_view target);

/// "GET /path" as it may stand in a log: printable ASCII, bounded, whatever was sent.
std::string shown_in_log(const HttpRequest& request);

/// The text that "%41%2F" and the like stand for; a '%' that starts no valid escape stands for
/// itself. In a query, '+' is a space.
std::string percent_decode(std::string_view text, bool in_query);

/// Equal but for ASCII case, as header names are compared.
bool equal_ignoring_case(std::string_view a, std::string_view b);

enum class StreamState {
  more,      ///< call read() again
  waiting,   ///< nothing more until the wake-up
  finished,  ///< complete; nothing more ever
  failed,    ///< broken off: the connection is closed after what was read
};

/// A response body that grows while it is sent. All calls come from the network thread; the wake-up
/// may be called from any thread and only posts.
class StreamSource {
 public:
  virtual ~StreamSource() = default;
  /// Called once, before the first read: `wake` is to be called whenever read() may give more.
  virtual void start(std::function<void()> wake) = 0;
  /// Appends what is ready, in bounded pieces.
  virtual StreamState read(std::string& out) = 0;
  /// Called once, when the stream was sent to its end or its reader has gone.
  virtual void stop() = 0;
  /// Sent now and then while the stream waits, so that nothing on the way takes the connection for
  /// dead; empty: nothing is sent.
  virtual std::string_view ping() const { return {}; }
};

struct HttpResponse;

/// A reply that is not there yet, of which not even the status is known. Called as a StreamSource
/// is.
class PendingReply {
 public:
  virtual ~PendingReply() = default;
  virtual void start(std::function<void()> wake) = 0;
  /// The reply once it is there.
  virtual std::optional<HttpResponse> poll() = 0;
  /// Called once, when the reply was taken or its reader has gone.
  virtual void stop() = 0;
};

struct Problem;  // server/api_error.h

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<HeaderField> headers;
  std::string body;
  std::shared_ptr<StreamSource> stream;    ///< when set, the body
  std::shared_ptr<PendingReply> pending;   ///< when set, makes the response that is sent
  std::shared_ptr<const Problem> problem;  ///< of an error: what `body` says
};

/// "Not Found" for 404.
std::string_view reason_phrase(int status);

/// Compact JSON text; never fails (invalid UTF-8 becomes U+FFFD).
std::string to_text(const core::Json& json);

HttpResponse json_response(const core::Json& json, int status = 200);

/// The response that `reply` will give.
HttpResponse pending_response(std::shared_ptr<PendingReply> reply);

/// A server-sent event stream.
HttpResponse event_stream(std::shared_ptr<StreamSource> source);

/// Appends "data: <json>\n\n".
void append_event(std::string& out, const core::Json& json);
/// Appends "data: [DONE]\n\n".
void append_done(std::string& out);

}  // namespace llm::server
