#include "server/surfaces.h"

#include "server/api_docs.h"
#include "server/page.h"

namespace llm::server {

Router Surfaces::router() {
  Router router;
  jobs_.add_routes(router);
  openai_.add_routes(router);
  operations_.add_routes(router);
  tokenizer_.add_routes(router);
  add_page_route(router);
  const auto document = std::make_shared<std::string>();
  router.add({.method = "GET",
              .pattern = "/openapi.json",
              .access = Access::open,
              .summary = "this API as an OpenAPI document",
              .handle = [document](const HttpRequest&) {
                HttpResponse response;
                response.body = *document;
                return response;
              }});
  *document = to_text(openapi_document(router, version_));
  return router;
}

}  // namespace llm::server
