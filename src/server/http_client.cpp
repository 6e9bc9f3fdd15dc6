#include "server/http_client.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <memory>

#include "core/error.h"

namespace llm::server {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using boost::asio::ip::tcp;
using ErrorCode = boost::system::error_code;

constexpr std::chrono::seconds kDeadline{5};
constexpr std::size_t kMaxAnswerBytes = 1 << 16;

class Post : public std::enable_shared_from_this<Post> {
 public:
  Post(boost::asio::io_context& io, std::function<void(const Result<int>&)> done)
      : resolver_(io), stream_(io), done_(std::move(done)) {}

  void run(const Url& url, const std::string& path, std::string json) {
    request_.method(http::verb::post);
    request_.target(url.base + path);
    request_.version(11);
    request_.set(http::field::host, url.authority());
    request_.set(http::field::content_type, "application/json");
    request_.set(http::field::user_agent, "llm-worker");
    request_.set(http::field::connection, "close");
    request_.body() = std::move(json);
    request_.prepare_payload();
    parser_.body_limit(kMaxAnswerBytes);
    resolver_.async_resolve(url.host, url.port,
                            [self = shared_from_this()](ErrorCode error, const auto& found) {
                              if (error) return self->fail(error);
                              self->connect(found);
                            });
  }

 private:
  void connect(const tcp::resolver::results_type& endpoints) {
    stream_.expires_after(kDeadline);
    stream_.async_connect(endpoints, [self = shared_from_this()](ErrorCode error, const auto&) {
      if (error) return self->fail(error);
      self->send();
    });
  }

  void send() {
    http::async_write(stream_, request_, [self = shared_from_this()](ErrorCode error, std::size_t) {
      if (error) return self->fail(error);
      self->receive();
    });
  }

  void receive() {
    http::async_read(stream_, buffer_, parser_,
                     [self = shared_from_this()](ErrorCode error, std::size_t) {
                       if (error && !self->parser_.is_header_done()) return self->fail(error);
                       self->done_(static_cast<int>(self->parser_.get().result_int()));
                     });
  }

  void fail(ErrorCode error) { done_(core::unavailable("{}", error.message())); }

  tcp::resolver resolver_;
  beast::tcp_stream stream_;
  std::function<void(const Result<int>&)> done_;
  http::request<http::string_body> request_;
  beast::flat_buffer buffer_;
  http::response_parser<http::string_body> parser_;
};

}  // namespace

void post_json(boost::asio::io_context& io, const Url& url, const std::string& path,
               std::string json, std::function<void(const Result<int>&)> done) {
  std::make_shared<Post>(io, std::move(done))->run(url, path, std::move(json));
}

}  // namespace llm::server
