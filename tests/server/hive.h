// A hive as far as a worker sees it: a port that takes heartbeats.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/json.h"

namespace llm::server {

/// Takes connections one after the other, keeps what they send, and answers each with `status`.
class Hive {
 public:
  /// `pause`: so long it looks out for another heartbeat before it answers one.
  explicit Hive(int status, std::chrono::milliseconds pause = {}) : status_(status), pause_(pause) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_, raw, size), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    EXPECT_EQ(::getsockname(listener_, raw, &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~Hive() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/base/"; }
  std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  /// Heartbeats that came while another one waited for its answer.
  int overlapping() const { return overlapping_; }
  /// The bodies of what came, in order.
  std::vector<core::Json> heartbeats() {
    std::vector<core::Json> bodies;
    for (const std::string& request : requests()) {
      bodies.push_back(core::Json::parse(request.substr(request.find("\r\n\r\n") + 4)));
    }
    return bodies;
  }

 private:
  void run() {
    for (int peer = 0; (peer = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(peer)) {
      std::string text;
      char buffer[4096];
      while (text.find("\"timestamp\"") == std::string::npos || text.back() != '}') {
        const ssize_t n = ::recv(peer, buffer, sizeof buffer, 0);
        if (n <= 0) break;
        text.append(buffer, static_cast<std::size_t>(n));
      }
      pollfd another{.fd = listener_, .events = POLLIN, .revents = 0};
      if (::poll(&another, 1, static_cast<int>(pause_.count())) == 1) ++overlapping_;
      const std::string reply =
          "HTTP/1.1 " + std::to_string(status_) + " X\r\nContent-Length: 0\r\n\r\n";
      (void)!::write(peer, reply.data(), reply.size());
      const std::lock_guard lock(mutex_);
      requests_.push_back(text);
    }
  }

  const int status_;
  const std::chrono::milliseconds pause_;
  std::atomic<int> overlapping_ = 0;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

}  // namespace llm::server
