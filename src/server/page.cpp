#include "server/page.h"

namespace llm::server {

extern const std::string_view kPageHtml;  // made from page/index.html

void add_page_route(Router& router) {
  router.add({.method = "GET",
              .pattern = "/",
              .access = Access::open,  // it holds nothing but the form in which to give the key
              .summary = "a page that chats with the model",
              .handle = [](const HttpRequest&) {
                HttpResponse response;
                response.content_type = "text/html; charset=utf-8";
                response.headers = {
                    {"Content-Security-Policy",
                     "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
                     "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
                     "frame-ancestors 'none'"},
                    {"X-Content-Type-Options", "nosniff"},
                    {"Referrer-Policy", "no-referrer"}};
                response.body = kPageHtml;
                return response;
              }});
}

}  // namespace llm::server
