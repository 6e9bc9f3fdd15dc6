#include "server/http_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/http/read.hpp>

#include "core/log.h"
#include "server/api_error.h"

namespace llm::server {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

constexpr std::size_t kWatchBytes = 4096;         // read at once while streaming
constexpr std::size_t kPipelinedBytes = 1 << 16;  // kept of requests sent during a stream
constexpr std::size_t kLingerBytes = 16 << 20;    // discarded of a refused body
constexpr std::chrono::milliseconds kLingerTime = std::chrono::seconds(2);

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

HttpSession::HttpSession(asio::ip::tcp::socket socket, SessionContext& context)
    : socket_(std::move(socket)),
      context_(context),
      deadline_(socket_.get_executor()),
      wake_posted_(std::make_shared<std::atomic<bool>>(false)) {
  ++context_.connections;
}

HttpSession::~HttpSession() {
  release_sources();
  if (reply_pending_) --context_.replies;
  --context_.connections;
}

void HttpSession::start() { read_request(); }

void HttpSession::abort() {
  if (closed_) return;
  closed_ = true;
  disarm_deadline();
  release_sources();
  ErrorCode ignored;
  socket_.close(ignored);
}

void HttpSession::read_request() {
  request_ = {};
  route_ = nullptr;
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(context_.limits.header_bytes));
  parser_->body_limit(context_.limits.body_bytes);
  reading_ = true;
  timed_out_ = false;
  arm_deadline(context_.limits.read_timeout);
  http::async_read_header(
      socket_, buffer_, *parser_,
      [self = shared_from_this()](ErrorCode error, std::size_t) { self->on_header(error); });
}

void HttpSession::on_header(ErrorCode error) {
  if (closed_) return;
  // Beast reports a Content-Length over the limit here; such a request is otherwise well-formed.
  if (error && error != http::error::body_limit) return on_read_error(error, true);
  begin_reply();
  const auto& message = parser_->get();
  request_.method = std::string(view(message.method_string()));
  set_target(request_, view(message.target()));
  for (const auto& field : message) {
    request_.headers.push_back(
        {std::string(view(field.name_string())), std::string(view(field.value()))});
  }
  http_1_0_ = message.version() < 11;
  keep_alive_ = message.keep_alive();
  const bool has_body = error || parser_->chunked() || parser_->content_length().value_or(0) > 0;
  HttpApp::Admission admission = context_.app.admit(request_, has_body);
  route_ = admission.route;
  if (!admission.refusal && error) return on_read_error(error, false);
  if (!admission.refusal && !http_1_0_ && request_.header("host").empty()) {
    admission.refusal = error_response(ApiError::invalid_request, "the Host header is missing");
  }
  if (admission.refusal) {
    if (has_body) keep_alive_ = false;  // it is not read, so the next request cannot be found
    return respond(std::move(*admission.refusal));
  }
  if (equal_ignoring_case(request_.header("expect"), "100-continue")) {
    return write("HTTP/1.1 100 Continue\r\n\r\n", &HttpSession::read_body);
  }
  read_body();
}

void HttpSession::read_body() {
  if (parser_->is_done()) return dispatch();
  reading_ = true;
  arm_deadline(context_.limits.read_timeout);
  http::async_read(
      socket_, buffer_, *parser_,
      [self = shared_from_this()](ErrorCode error, std::size_t) { self->on_body(error); });
}

void HttpSession::on_body(ErrorCode error) {
  if (closed_) return;
  if (error) return on_read_error(error, false);
  dispatch();
}

void HttpSession::on_read_error(ErrorCode error, bool in_header) {
  const HttpLimits& limits = context_.limits;
  const bool from_parser =
      error.category() == http::make_error_code(http::error::end_of_stream).category();
  const bool client_left =
      error == http::error::end_of_stream || error == http::error::partial_message;
  std::optional<HttpResponse> reply;
  if (timed_out_) {
    // A connection that was merely idle is closed without a word.
    if (!in_header || parser_->got_some()) {
      reply = error_response(ApiError::request_timeout, "the request did not arrive in time");
    }
  } else if (error == http::error::header_limit) {
    reply = error_response(ApiError::headers_too_large,
                           fmt::format("the header block is over {} bytes", limits.header_bytes));
  } else if (error == http::error::body_limit) {
    reply = error_response(ApiError::payload_too_large,
                           fmt::format("the body is over {} bytes", limits.body_bytes));
  } else if (from_parser && !client_left) {
    reply = error_response(ApiError::invalid_request,
                           fmt::format("not a valid HTTP request: {}", error.message()));
  }
  if (!reply) return abort();
  if (in_header) {
    request_.request_id = choose_request_id({});
    begin_reply();
  }
  keep_alive_ = false;  // where the next request would begin is unknown
  respond(std::move(*reply));
}

void HttpSession::begin_reply() {
  received_at_ = std::chrono::steady_clock::now();
  ++context_.replies;
  reply_pending_ = true;
}

void HttpSession::dispatch() {
  reading_ = false;
  disarm_deadline();
  request_.body = std::move(parser_->get().body());
  if (!route_->slow) return respond(context_.app.answer(*route_, request_));
  asio::post(context_.pool, [self = shared_from_this()]() mutable {
    // On a pool thread: the session waits, so its request may be read. The last reference must not
    // be dropped here, hence the move.
    auto response =
        std::make_shared<HttpResponse>(self->context_.app.answer(*self->route_, self->request_));
    const auto executor = self->socket_.get_executor();
    asio::post(executor, [self = std::move(self), response] {
      if (!self->closed_) self->respond(std::move(*response));
    });
  });
}

std::string HttpSession::head_of(const HttpResponse& response) const {
  std::string head =
      fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_phrase(response.status));
  const auto add = [&head](std::string_view name, std::string_view value) {
    head += fmt::format("{}: {}\r\n", name, value);
  };
  if (!response.content_type.empty()) add("Content-Type", response.content_type);
  for (const HeaderField& field : response.headers) add(field.name, field.value);
  if (response.stream && !http_1_0_) {
    add("Transfer-Encoding", "chunked");
  } else if (!response.stream && response.status != 204) {
    add("Content-Length", std::to_string(response.body.size()));
  }
  if (!keep_alive_) {
    add("Connection", "close");
  } else if (http_1_0_) {
    add("Connection", "keep-alive");
  }
  return head + "\r\n";
}

void HttpSession::respond(HttpResponse response) {
  reading_ = false;
  if (response.pending) {
    pending_ = std::move(response.pending);
    return begin_pending();
  }
  context_.app.complete(route_, request_, response);
  status_ = response.status;
  if (response.stream) {
    if (http_1_0_) keep_alive_ = false;  // the end of the connection is the end of the stream
    stream_ = std::move(response.stream);
    response.stream = stream_;
    return write(head_of(response), &HttpSession::begin_stream);
  }
  std::string message = head_of(response);
  if (request_.method != "HEAD") message += response.body;
  write(std::move(message), &HttpSession::finish_request);
}

void HttpSession::finish_request() {
  const double ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - received_at_)
          .count();
  // Probes come every few seconds: not worth a line each.
  const auto level = request_.path == "/health" ? core::LogLevel::debug : core::LogLevel::info;
  core::log(level, "request_id={} {} -> {} in {:.1f} ms", request_.request_id,
            shown_in_log(request_), status_, ms);
  reply_pending_ = false;
  --context_.replies;
  if (keep_alive_) return read_request();
  begin_linger();
}

// Called on any thread: it must not hold the session, which may only end on the network thread.
std::function<void()> HttpSession::waker() {
  return [weak = weak_from_this(), posted = wake_posted_, executor = socket_.get_executor()] {
    if (posted->exchange(true)) return;
    asio::post(executor, [weak, posted] {
      posted->store(false);
      const auto self = weak.lock();
      if (self && !self->closed_) self->on_wake();
    });
  };
}

void HttpSession::on_wake() {
  if (pending_) return poll_pending();
  if (!stream_idle_) return;
  stream_idle_ = false;
  pump();
}

void HttpSession::begin_pending() {
  pending_->start(waker());
  watch_reader();
  poll_pending();
}

void HttpSession::poll_pending() {
  ready_ = pending_->poll();
  if (!ready_) return;
  release_sources();
  stop_watching(&HttpSession::respond_with_ready);
}

void HttpSession::respond_with_ready() {
  HttpResponse response = std::move(*ready_);
  ready_.reset();
  respond(std::move(response));
}

void HttpSession::begin_stream() {
  stream_->start(waker());
  watch_reader();
  pump();
}

void HttpSession::pump() {
  if (closed_ || !stream_) return;
  if (stream_state_ == StreamState::failed) return abort();
  if (stream_state_ == StreamState::finished) return end_stream();
  std::string events;
  stream_state_ = stream_->read(events);
  if (events.empty() && stream_state_ == StreamState::waiting) {
    stream_idle_ = true;
    if (!stream_->ping().empty()) arm_deadline(context_.limits.ping_interval);
    return;
  }
  std::string framed;
  if (!events.empty()) frame(events, framed);
  if (stream_state_ == StreamState::finished && !http_1_0_) framed += "0\r\n\r\n";
  write(std::move(framed), &HttpSession::pump);
}

void HttpSession::frame(std::string_view events, std::string& out) const {
  if (http_1_0_) {
    out += events;
  } else {
    out += fmt::format("{:x}\r\n{}\r\n", events.size(), events);
  }
}

void HttpSession::send_ping() {
  stream_idle_ = false;
  std::string framed;
  frame(stream_->ping(), framed);
  write(std::move(framed), &HttpSession::pump);
}

void HttpSession::end_stream() {
  release_sources();
  stop_watching(&HttpSession::finish_request);
}

void HttpSession::release_sources() {
  stream_idle_ = false;
  stream_state_ = StreamState::waiting;
  if (const auto stream = std::exchange(stream_, nullptr)) stream->stop();
  if (const auto pending = std::exchange(pending_, nullptr)) pending->stop();
}

void HttpSession::watch_reader() {
  watching_ = true;
  socket_.async_read_some(buffer_.prepare(kWatchBytes),
                          [self = shared_from_this()](ErrorCode error, std::size_t n) {
                            self->watching_ = false;
                            if (self->closed_) return;
                            self->buffer_.commit(n);
                            if (const Step next = std::exchange(self->after_watching_, nullptr)) {
                              return (*self.*next)();
                            }
                            if (error || self->buffer_.size() > kPipelinedBytes)
                              return self->abort();
                            self->watch_reader();
                          });
}

void HttpSession::stop_watching(Step next) {
  if (!watching_) return (this->*next)();
  after_watching_ = next;
  ErrorCode ignored;
  socket_.cancel(ignored);  // nothing but the watching read is outstanding
}

void HttpSession::write(std::string data, Step next) {
  out_ = std::move(data);
  sent_ = 0;
  after_write_ = next;
  write_some();
}

void HttpSession::write_some() {
  if (sent_ == out_.size()) {
    disarm_deadline();
    return (this->*after_write_)();
  }
  arm_deadline(context_.limits.write_timeout);
  socket_.async_write_some(asio::buffer(out_.data() + sent_, out_.size() - sent_),
                           [self = shared_from_this()](ErrorCode error, std::size_t n) {
                             if (self->closed_) return;
                             if (error) return self->abort();
                             self->sent_ += n;
                             self->write_some();
                           });
}

// Closing while unread bytes are queued would reset the connection and may take the reply with it:
// send the end first and read on for a while.
void HttpSession::begin_linger() {
  ErrorCode ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  lingered_bytes_ = 0;
  arm_deadline(kLingerTime);
  linger();
}

void HttpSession::linger() {
  buffer_.clear();
  socket_.async_read_some(buffer_.prepare(kWatchBytes),
                          [self = shared_from_this()](ErrorCode error, std::size_t n) {
                            self->lingered_bytes_ += n;
                            if (self->closed_) return;
                            if (error || self->lingered_bytes_ > kLingerBytes) return self->abort();
                            self->linger();
                          });
}

void HttpSession::arm_deadline(std::chrono::milliseconds after) {
  deadline_.expires_after(after);
  deadline_.async_wait(
      [weak = weak_from_this(), generation = ++deadline_generation_](ErrorCode error) {
        const auto self = weak.lock();
        if (error || !self || self->deadline_generation_ != generation) return;
        self->on_deadline();
      });
}

void HttpSession::disarm_deadline() {
  ++deadline_generation_;
  deadline_.cancel();
}

void HttpSession::on_deadline() {
  if (stream_idle_) return send_ping();
  if (!reading_) return abort();
  timed_out_ = true;
  ErrorCode ignored;
  socket_.cancel(ignored);  // the read returns and on_read_error answers
}

}  // namespace llm::server
