// HttpListener: accepts connections on one address and keeps them within a limit. Lives on the
// network thread after open().
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <memory>
#include <string>

#include "llm/status.h"
#include "server/http_session.h"

namespace llm::server {

class HttpListener {
 public:
  HttpListener(boost::asio::io_context& io, SessionContext& context)
      : io_(io), context_(context), acceptor_(io), retry_(io) {}

  /// Binds and listens; an address in use is an error.
  Status open(const std::string& host, std::uint16_t port);
  std::uint16_t port() const { return port_; }
  void start() { accept(); }
  /// Closes the listening socket and every connection.
  void close();

 private:
  void accept();
  void serve(boost::asio::ip::tcp::socket socket);

  boost::asio::io_context& io_;
  SessionContext& context_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer retry_;
  std::uint16_t port_ = 0;
  std::list<std::weak_ptr<HttpSession>> sessions_;
};

}  // namespace llm::server
