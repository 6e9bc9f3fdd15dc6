#include "server/test_client.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>

namespace llm::server {

std::string TestReply::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return "";
}

core::Json TestReply::json() const { return core::Json::parse(body, nullptr, false); }

TestConnection::TestConnection(std::uint16_t port) {
  socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
  timeval patience{.tv_sec = 10, .tv_usec = 0};
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) close();
}

TestConnection::~TestConnection() { close(); }

void TestConnection::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

bool TestConnection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool TestConnection::fill() {
  char buffer[16384];
  const ssize_t n = ::recv(socket_, buffer, sizeof buffer, 0);
  if (n <= 0) return false;
  raw_.append(buffer, static_cast<std::size_t>(n));
  return true;
}

std::string TestConnection::line() {
  std::size_t end = 0;
  while ((end = raw_.find("\r\n")) == std::string::npos) {
    if (!fill()) return "";
  }
  std::string text = raw_.substr(0, end);
  raw_.erase(0, end + 2);
  return text;
}

TestReply TestConnection::read_head() {
  TestReply reply;
  const std::string status = line();
  if (status.size() < 12) return reply;
  reply.status = std::atoi(status.c_str() + 9);
  for (std::string text = line(); !text.empty(); text = line()) {
    const std::size_t colon = text.find(": ");
    std::string name = text.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    reply.headers.emplace_back(name, colon == std::string::npos ? "" : text.substr(colon + 2));
  }
  decoded_.clear();
  last_chunk_ = false;
  return reply;
}

bool TestConnection::read_chunk() {
  const std::string head = line();
  if (head.empty()) return false;
  const std::size_t size = std::stoul(head, nullptr, 16);
  while (raw_.size() < size + 2) {
    if (!fill()) return false;
  }
  decoded_ += raw_.substr(0, size);
  raw_.erase(0, size + 2);
  last_chunk_ = size == 0;
  return true;
}

TestReply TestConnection::read_reply(bool to_head) {
  TestReply reply = read_head();
  if (reply.status == 0) return reply;
  if (reply.header("transfer-encoding") == "chunked") {
    while (!last_chunk_ && read_chunk()) {
    }
    reply.complete = last_chunk_;
    reply.body = std::exchange(decoded_, "");
  } else if (const std::string length = reply.header("content-length"); !length.empty()) {
    const std::size_t size = to_head ? 0 : std::stoul(length);
    while (raw_.size() < size && fill()) {
    }
    reply.complete = raw_.size() >= size;
    reply.body = raw_.substr(0, size);
    raw_.erase(0, size);
  } else if (reply.status != 204) {
    while (fill()) {
    }
    reply.body = std::exchange(raw_, "");
  } else {
    reply.complete = true;
  }
  return reply;
}

std::string TestConnection::read_event() {
  std::size_t end = 0;
  while ((end = decoded_.find("\n\n")) == std::string::npos) {
    if (last_chunk_ || !read_chunk()) return "";
  }
  std::string event = decoded_.substr(0, end);
  decoded_.erase(0, end + 2);
  return event;
}

bool TestConnection::closed_by_peer(int milliseconds) {
  pollfd wait{.fd = socket_, .events = POLLIN, .revents = 0};
  char byte = 0;
  while (::poll(&wait, 1, milliseconds) == 1) {
    if (::recv(socket_, &byte, 1, 0) <= 0) return true;
  }
  return false;
}

void TestConnection::shutdown_send() { ::shutdown(socket_, SHUT_WR); }

void TestConnection::set_receive_buffer(int bytes) {
  setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

std::string make_request(std::string_view method, std::string_view path, std::string_view body,
                         std::string_view headers) {
  std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: test\r\n{}", method, path, headers);
  if (!body.empty() || method == "POST") {
    if (headers.find("Content-Type") == std::string_view::npos) {
      text += "Content-Type: application/json\r\n";
    }
    text += fmt::format("Content-Length: {}\r\n", body.size());
  }
  return text + "\r\n" + std::string(body);
}

TestReply request(std::uint16_t port, std::string_view method, std::string_view path,
                  std::string_view body, std::string_view headers) {
  TestConnection connection(port);
  connection.send(make_request(method, path, body, headers));
  return connection.read_reply(method == "HEAD");
}

std::vector<core::Json> events_of(std::string_view body) {
  std::vector<core::Json> events;
  while (!body.empty()) {
    const std::size_t end = body.find("\n\n");
    const std::string_view event = body.substr(0, end);
    if (event.substr(0, 6) != "data: ") {
      events.push_back(fmt::format("not a data line: {}", event));
    } else if (event == "data: [DONE]") {
      events.push_back("[DONE]");
    } else {
      events.push_back(core::Json::parse(event.substr(6), nullptr, false));
    }
    if (end == std::string_view::npos) break;
    body.remove_prefix(end + 2);
  }
  return events;
}

}  // namespace llm::server
