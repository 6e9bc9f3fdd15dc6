// HttpSession: one connection. Reads a request, has it answered, sends the reply or the stream, and
// begins again. Every step has a deadline; the departure of a client is noticed while its reply or
// stream is being made. Lives on the network thread, except that slow routes run on the worker
// pool.
#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "server/http_app.h"
#include "server/server_options.h"

namespace llm::server {

/// Everything the sessions of one listener share. Outlives them.
struct SessionContext {
  const HttpApp& app;
  const HttpLimits& limits;
  boost::asio::thread_pool& pool;
  std::size_t connections = 0;  ///< open now
  std::size_t replies = 0;      ///< requests received whose reply is not sent to its end
};

class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(boost::asio::ip::tcp::socket socket, SessionContext& context);
  ~HttpSession();
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  void start();
  /// Drops the connection at once.
  void abort();

 private:
  using ErrorCode = boost::system::error_code;
  using Step = void (HttpSession::*)();

  // Reading.
  void read_request();
  void on_header(ErrorCode error);
  void read_body();
  void on_body(ErrorCode error);
  void on_read_error(ErrorCode error, bool in_header);

  // Answering.
  void begin_reply();
  void dispatch();
  void respond(HttpResponse response);
  std::string head_of(const HttpResponse& response) const;
  void finish_request();

  // Replies that take time: streams, and those that come later as a whole.
  std::function<void()> waker();
  void on_wake();
  void begin_pending();
  void poll_pending();
  void respond_with_ready();
  void begin_stream();
  void pump();
  void frame(std::string_view events, std::string& out) const;
  void send_ping();
  void end_stream();
  void watch_reader();
  void stop_watching(Step next);
  void release_sources();

  // Sending and closing.
  void write(std::string data, Step next);
  void write_some();
  void begin_linger();
  void linger();

  void arm_deadline(std::chrono::milliseconds after);
  void disarm_deadline();
  void on_deadline();

  boost::asio::ip::tcp::socket socket_;
  SessionContext& context_;
  boost::asio::steady_timer deadline_;
  std::uint64_t deadline_generation_ = 0;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;

  HttpRequest request_;
  const Route* route_ = nullptr;
  std::chrono::steady_clock::time_point received_at_;
  int status_ = 0;
  bool reply_pending_ = false;
  bool keep_alive_ = false;
  bool http_1_0_ = false;
  bool reading_ = false;  // a deadline means: answer 408 or go
  bool timed_out_ = false;
  bool closed_ = false;

  std::string out_;
  std::size_t sent_ = 0;
  Step after_write_ = nullptr;
  std::size_t lingered_bytes_ = 0;

  std::shared_ptr<PendingReply> pending_;
  std::optional<HttpResponse> ready_;  ///< what pending_ gave
  std::shared_ptr<StreamSource> stream_;
  StreamState stream_state_ = StreamState::waiting;
  bool stream_idle_ = false;       // read() said waiting, and no write is under way
  bool watching_ = false;          // a read is outstanding that notices the client's departure
  Step after_watching_ = nullptr;  // what comes once that read has returned, if it is to end
  std::shared_ptr<std::atomic<bool>> wake_posted_;
};

}  // namespace llm::server
