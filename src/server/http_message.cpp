#include "server/http_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/quote.h"

namespace llm::server {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::optional<int> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char l = lower(c);
  if (l >= 'a' && l <= 'f') return l - 'a' + 10;
  return std::nullopt;
}

}  // namespace

std::string percent_decode(std::string_view text, bool in_query) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%' && at + 2 < text.size()) {
      const auto high = hex_digit(text[at + 1]);
      const auto low = hex_digit(text[at + 2]);
      if (high && low) {
        out.push_back(static_cast<char>(*high * 16 + *low));
        at += 2;
        continue;
      }
    }
    out.push_back(in_query && text[at] == '+' ? ' ' : text[at]);
  }
  return out;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view HttpRequest::header(std::string_view name) const {
  for (const HeaderField& field : headers) {
    if (equal_ignoring_case(field.name, name)) return field.value;
  }
  return {};
}

void set_target(HttpRequest& request, std::string_view target) {
  const std::size_t mark = target.find('?');
  request.path = std::string(target.substr(0, mark));
  request.query.clear();
  if (mark == std::string_view::npos) return;
  std::string_view rest = target.substr(mark + 1);
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    request.query.emplace_back(
        percent_decode(pair.substr(0, equals), true),
        equals == std::string_view::npos ? "" : percent_decode(pair.substr(equals + 1), true));
  }
}

std::string shown_in_log(const HttpRequest& request) {
  constexpr std::size_t kLongestMethod = 16;
  constexpr std::size_t kLongestPath = 256;
  return fmt::format("{} {}", core::printable(request.method, kLongestMethod),
                     core::printable(request.path, kLongestPath));
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Payload Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Entity";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "Unknown";
  }
}

std::string to_text(const core::Json& json) {
  return json.dump(-1, ' ', false, core::Json::error_handler_t::replace);
}

HttpResponse json_response(const core::Json& json, int status) {
  HttpResponse response;
  response.status = status;
  response.body = to_text(json);
  return response;
}

HttpResponse pending_response(std::shared_ptr<PendingReply> reply) {
  HttpResponse response;
  response.pending = std::move(reply);
  return response;
}

HttpResponse event_stream(std::shared_ptr<StreamSource> source) {
  HttpResponse response;
  response.content_type = "text/event-stream";
  response.headers = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}};
  response.stream = std::move(source);
  return response;
}

void append_event(std::string& out, const core::Json& json) {
  out += "data: ";
  out += to_text(json);
  out += "\n\n";
}

void append_done(std::string& out) { out += "data: [DONE]\n\n"; }

}  // namespace llm::server
