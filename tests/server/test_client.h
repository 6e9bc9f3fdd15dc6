// A small blocking HTTP client on a raw socket, so that tests can also send what no well-behaved
// client would. Reads give up after ten seconds: a test fails instead of hanging.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.h"

namespace llm::server {

struct TestReply {
  int status = 0;                                            ///< 0: no reply
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
  std::string body;                                          ///< chunks joined
  bool complete = false;  ///< Content-Length or the last chunk was reached

  std::string header(std::string_view name) const;
  core::Json json() const;
};

class TestConnection {
 public:
  explicit TestConnection(std::uint16_t port);
  ~TestConnection();
  TestConnection(const TestConnection&) = delete;
  TestConnection& operator=(const TestConnection&) = delete;

  bool connected() const { return socket_ >= 0; }
  /// False when the peer has closed.
  bool send(std::string_view bytes);
  /// One whole reply. `to_head`: the answer to a HEAD request has no body.
  TestReply read_reply(bool to_head = false);
  /// Status line and headers only; the body stays to be read.
  TestReply read_head();
  /// Everything up to the next "\n\n" of a chunked body; empty at the end.
  std::string read_event();
  /// True when the peer closes within the time.
  bool closed_by_peer(int milliseconds);
  void shutdown_send();
  void set_receive_buffer(int bytes);
  void close();

 private:
  bool fill();
  bool read_chunk();
  std::string line();

  int socket_ = -1;
  std::string raw_;      // received, not used yet
  std::string decoded_;  // of chunks, not used yet
  bool last_chunk_ = false;
};

/// "GET /path HTTP/1.1" with Host and more headers ("Name: value\r\n" each).
std::string make_request(std::string_view method, std::string_view path, std::string_view body = "",
                         std::string_view headers = "");

TestReply request(std::uint16_t port, std::string_view method, std::string_view path,
                  std::string_view body = "", std::string_view headers = "");

/// The JSON objects of an event stream's body; "[DONE]" as that string.
std::vector<core::Json> events_of(std::string_view body);

}  // namespace llm::server
