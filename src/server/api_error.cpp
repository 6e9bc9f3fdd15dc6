#include "server/api_error.h"

#include <fmt/format.h>

namespace llm::server {
namespace {

using core::Json;

void add_details(Json& json, const Problem& problem) {
  if (problem.details.is_object()) json.update(problem.details);
}

Json jobs_error(const Problem& problem) {
  Json body;
  if (problem.fields.empty()) {
    body = {
        {"error", {{"code", api_error_info(problem.error).code}, {"message", problem.message}}}};
  } else {
    Json list = Json::array();
    for (const FieldError& error : problem.fields) {
      Json item = {
          {"field", error.field}, {"constraint", error.constraint}, {"message", error.message}};
      if (!error.value.is_null()) item["value"] = error.value;
      list.push_back(std::move(item));
    }
    body = {{"errors", std::move(list)}};
  }
  add_details(body, problem);
  return body;
}

}  // namespace

const std::vector<ApiErrorInfo>& api_errors() {
  static const std::vector<ApiErrorInfo> kErrors = {
#define LLM_API_ERROR_ROW(name, code, status, type, openai_code, meaning) \
  {code, status, type, openai_code, meaning},
      LLM_API_ERRORS(LLM_API_ERROR_ROW)
#undef LLM_API_ERROR_ROW
  };
  return kErrors;
}

const ApiErrorInfo& api_error_info(ApiError error) {
  return api_errors()[static_cast<std::size_t>(error)];
}

HttpResponse problem_response(Problem problem) {
  HttpResponse response = json_response(jobs_error(problem), api_error_info(problem.error).status);
  response.problem = std::make_shared<const Problem>(std::move(problem));
  return response;
}

Json openai_error(const Problem& problem) {
  const ApiErrorInfo& info = api_error_info(problem.error);
  std::string message = problem.message;
  for (const FieldError& field : problem.fields) {
    if (!message.empty()) message += "; ";
    message += field.message;
  }
  Json error = {{"message", std::move(message)},
                {"type", info.openai_type},
                {"param", nullptr},
                {"code", nullptr}};
  if (!problem.fields.empty()) error["param"] = problem.fields.front().field;
  if (!info.openai_code.empty()) error["code"] = info.openai_code;
  add_details(error, problem);
  return {{"error", std::move(error)}};
}

HttpResponse error_response(ApiError error, std::string_view message) {
  return problem_response(
      {.error = error, .message = std::string(message), .fields = {}, .details = nullptr});
}

HttpResponse retry_later(ApiError error, std::string_view message, int seconds) {
  HttpResponse response = error_response(error, message);
  response.headers.push_back({"Retry-After", std::to_string(seconds)});
  return response;
}

HttpResponse field_error_response(FieldErrors errors) {
  return problem_response({.error = ApiError::invalid_request,
                           .message = {},
                           .fields = std::move(errors),
                           .details = nullptr});
}

}  // namespace llm::server
