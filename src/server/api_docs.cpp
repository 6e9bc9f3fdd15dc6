#include "server/api_docs.h"

#include <fmt/format.h>

#include <algorithm>

#include "server/api_error.h"
#include "server/completion_request.h"
#include "server/field_schema.h"
#include "server/job_request.h"
#include "server/surfaces.h"

namespace llm::server {
namespace {

using core::Json;

// Bodies by the name of their schema.
std::map<std::string, std::vector<Field>> documented_bodies() {
  return {
      {"JobRequest", documented_job_fields()},
      {"ChatCompletionRequest", documented_completion_fields(CompletionKind::chat)},
      {"CompletionRequest", documented_completion_fields(CompletionKind::text)},
      {"TokenizeRequest", documented_tokenize_fields()},
      {"DetokenizeRequest", documented_detokenize_fields()},
      {"ApplyTemplateRequest", documented_apply_template_fields()},
  };
}

// A type as the tables name it, as JSON Schema.
Json type_schema(const std::string& type) {
  const Json text = {{"type", "string"}};
  const Json object = {{"type", "object"}};
  const Json integer = {{"type", "integer"}};
  const Json ids = {{"type", "array"}, {"items", {{"type", "integer"}, {"minimum", 0}}}};
  const auto list_of = [](const Json& items) -> Json {
    return {{"type", "array"}, {"items", items}};
  };
  const auto any_of = [](std::initializer_list<Json> types) -> Json {
    return {{"anyOf", Json(std::vector<Json>(types))}};
  };
  const std::map<std::string, Json> schemas = {
      {"string", text},
      {"float", {{"type", "number"}}},
      {"integer", integer},
      {"boolean", {{"type", "boolean"}}},
      {"object", object},
      {"string or integer", any_of({text, integer})},
      {"string or object", any_of({text, object})},
      {"string or list of strings", any_of({text, list_of(text)})},
      {"list of strings", list_of(text)},
      {"list of objects", list_of(object)},
      {"list of tool definitions", list_of(object)},
      {"list of chat messages", list_of({{"type", "object"}, {"required", Json::array({"role"})}})},
      {"list of token ids", ids},
      {"string or token ids", any_of({text, ids})},
      {"string, token ids, or a list of either", any_of({text, ids, list_of(any_of({text, ids}))})},
      {"object {id: float}", {{"type", "object"}, {"additionalProperties", {{"type", "number"}}}}},
  };
  const auto found = schemas.find(type);
  return found == schemas.end() ? Json::object() : found->second;
}

Json body_schema(const std::vector<Field>& fields) {
  Json properties = Json::object();
  Json required = Json::array();
  for (const Field& field : fields) {
    Json schema = type_schema(field.type);
    schema["description"] = field.meaning;
    if (field.bounds.is_object()) {
      schema.update(field.bounds);
    } else if (!field.constraint.empty()) {
      schema["description"] = fmt::format("{} [{}]", field.meaning, field.constraint);
    }
    if (field.default_value == "required") {
      required.push_back(field.name);
    } else if (Json value = Json::parse(field.default_value, nullptr, false);
               !value.is_discarded()) {
      schema["default"] = std::move(value);
    }
    properties[field.name] = std::move(schema);
  }
  return {
      {"type", "object"}, {"properties", std::move(properties)}, {"required", std::move(required)}};
}

// "/v1/models/{id...}" as OpenAPI writes it, which has no such parameters.
std::string path_of(std::string pattern) {
  if (const std::size_t dots = pattern.find("...}"); dots != std::string::npos) {
    pattern.erase(dots, 3);
  }
  return pattern;
}

bool is_alias(const Router& router, const Route& route) {
  return std::any_of(router.routes().begin(), router.routes().end(),
                     [&](const Route& other) { return other.pattern == "/v1" + route.pattern; });
}

std::string error_description() {
  std::string text;
  for (const ApiErrorInfo& error : api_errors()) {
    text += fmt::format("{} {}: {}. ", error.status, error.code, error.meaning);
  }
  return text;
}

Json operation_of(const Route& route) {
  Json operation = {
      {"summary", route.summary},
      {"responses",
       {{"200", {{"description", route.streams ? "server-sent events" : "the answer"}}},
        {"default", {{"$ref", "#/components/responses/Error"}}}}}};
  if (route.access == Access::open) operation["security"] = Json::array();
  if (!route.body.empty()) {
    operation["requestBody"] = {
        {"required", true},
        {"content",
         {{"application/json", {{"schema", {{"$ref", "#/components/schemas/" + route.body}}}}}}}};
  }
  for (std::size_t at = 0; (at = route.pattern.find('{', at)) != std::string::npos; ++at) {
    const std::string name =
        route.pattern.substr(at + 1, route.pattern.find_first_of(".}", at) - at - 1);
    operation["parameters"].push_back(
        {{"name", name}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}});
  }
  return operation;
}

std::string error_table() {
  std::string out =
      "| code | status | OpenAI `type` | OpenAI `code` | meaning |\n|---|---|---|---|---|\n";
  for (const ApiErrorInfo& error : api_errors()) {
    const std::string code =
        error.openai_code.empty() ? "null" : fmt::format("`{}`", error.openai_code);
    out += fmt::format("| `{}` | {} | `{}` | {} | {} |\n", error.code, error.status,
                       error.openai_type, code, error.meaning);
  }
  return out;
}

std::string route_table(const Router& router) {
  std::string out = "| route | access | answer |\n|---|---|---|\n";
  for (const Route& route : router.routes()) {
    if (is_alias(router, route)) continue;
    out += fmt::format("| `{} {}` | {} | {} |\n", route.method, path_of(route.pattern),
                       route.access == Access::open ? "public" : "key", route.summary);
  }
  return out;
}

// The routes without a worker behind them: for looking at, not to be called.
Router documented_router() {
  const ServerOptions options;
  ModelState model;
  JobStore jobs({});
  const std::atomic<bool> draining = false;
  return Surfaces(options, model, jobs, draining).router();
}

}  // namespace

Json openapi_document(const Router& router, std::string_view version) {
  Json paths = Json::object();
  for (const Route& route : router.routes()) {
    if (is_alias(router, route)) continue;
    std::string method = route.method;
    std::transform(method.begin(), method.end(), method.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    paths[path_of(route.pattern)][method] = operation_of(route);
  }
  Json schemas = Json::object();
  for (const auto& [name, fields] : documented_bodies()) schemas[name] = body_schema(fields);
  return {{"openapi", "3.1.0"},
          {"info",
           {{"title", "llm-worker"},
            {"version", version},
            {"description", "The OpenAI routes exist without the prefix /v1 as well."}}},
          {"security", Json::array({{{"bearer", Json::array()}}, {{"key", Json::array()}}})},
          {"paths", std::move(paths)},
          {"components",
           {{"securitySchemes",
             {{"bearer", {{"type", "http"}, {"scheme", "bearer"}}},
              {"key", {{"type", "apiKey"}, {"in", "header"}, {"name", "x-api-key"}}}}},
            {"responses", {{"Error", {{"description", error_description()}}}}},
            {"schemas", std::move(schemas)}}}};
}

Json openapi_document(std::string_view version) {
  return openapi_document(documented_router(), version);
}

std::map<std::string, std::string> api_tables() {
  std::map<std::string, std::string> tables = {{"errors", error_table()},
                                               {"routes", route_table(documented_router())}};
  for (const auto& [name, fields] : documented_bodies()) tables[name] = markdown_table(fields);
  return tables;
}

}  // namespace llm::server
