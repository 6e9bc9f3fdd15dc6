// What the program's own tables say of its HTTP API: an OpenAPI document, and the tables of
// docs/api.md.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "core/json.h"
#include "server/router.h"

namespace llm::server {

/// OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0) of the routes. Routes that are others without
/// the prefix /v1 are left out.
core::Json openapi_document(const Router& router, std::string_view version);

/// The same of a worker with default options.
core::Json openapi_document(std::string_view version);

/// Markdown tables by the name that docs/api.md gives them.
std::map<std::string, std::string> api_tables();

}  // namespace llm::server
