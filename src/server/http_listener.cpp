#include "server/http_listener.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include "core/error.h"
#include "core/log.h"
#include "server/api_error.h"
#include "server/identity.h"

namespace llm::server {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

// A peer that vanished without a word (power, network) is given up after about a minute.
void watch_for_dead_peer(tcp::socket& socket) {
  const int handle = socket.native_handle();
  const int idle_seconds = 30;
  const int interval_seconds = 10;
  const int probes = 3;
  ErrorCode ignored;
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  socket.set_option(tcp::no_delay(true), ignored);
  // Refinements: without them the system's own, slower times hold.
  (void)setsockopt(handle, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof idle_seconds);
  (void)setsockopt(handle, IPPROTO_TCP, TCP_KEEPINTVL, &interval_seconds, sizeof interval_seconds);
  (void)setsockopt(handle, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

}  // namespace

Status HttpListener::open(const std::string& host, std::uint16_t port) {
  ErrorCode error;
  tcp::resolver resolver(io_);
  const auto found = resolver.resolve(
      host, std::to_string(port), tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error || found.empty()) {
    return core::invalid_argument("cannot listen on {}: {}", host, error.message());
  }
  const tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error == asio::error::address_in_use) {
    return core::unavailable("port {} of {} is already in use", port, host);
  }
  if (error) return core::io_error("cannot listen on {}:{}: {}", host, port, error.message());
  port_ = acceptor_.local_endpoint(error).port();
  return {};
}

void HttpListener::accept() {
  acceptor_.async_accept([this](ErrorCode error, tcp::socket socket) {
    if (!acceptor_.is_open()) return;
    if (!error) {
      serve(std::move(socket));
      return accept();
    }
    // Mostly too many open files: wait for some to close instead of spinning.
    core::log(core::LogLevel::warning, "accepting a connection failed: {}", error.message());
    retry_.expires_after(std::chrono::milliseconds(100));
    retry_.async_wait([this](ErrorCode stopped) {
      if (!stopped) accept();
    });
  });
}

void HttpListener::serve(tcp::socket socket) {
  if (context_.connections >= context_.limits.connections) {
    const HttpResponse refusal =
        retry_later(ApiError::too_many_connections, "too many connections are open", 1);
    const std::string text = fmt::format(
        "HTTP/1.1 {} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n"
        "Retry-After: 1\r\nx-request-id: {}\r\nConnection: close\r\n\r\n{}",
        refusal.status, reason_phrase(refusal.status), refusal.body.size(), random_uuid(),
        refusal.body);
    ErrorCode ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(text), ignored);
    socket.shutdown(tcp::socket::shutdown_send, ignored);
    return;
  }
  watch_for_dead_peer(socket);
  sessions_.remove_if([](const auto& session) { return session.expired(); });
  const auto session = std::make_shared<HttpSession>(std::move(socket), context_);
  sessions_.push_back(session);
  session->start();
}

void HttpListener::close() {
  ErrorCode ignored;
  acceptor_.close(ignored);
  retry_.cancel();
  for (const auto& weak : sessions_) {
    if (const auto session = weak.lock()) session->abort();
  }
  sessions_.clear();
}

}  // namespace llm::server
