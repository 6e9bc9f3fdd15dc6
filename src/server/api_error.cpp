#include "server/api_error.h"

namespace llm::server {

const std::vector<ApiErrorInfo>& api_errors() {
  static const std::vector<ApiErrorInfo> kErrors = {
#define LLM_API_ERROR_ROW(name, code, status, meaning) {code, status, meaning},
      LLM_API_ERRORS(LLM_API_ERROR_ROW)
#undef LLM_API_ERROR_ROW
  };
  return kErrors;
}

const ApiErrorInfo& api_error_info(ApiError error) {
  return api_errors()[static_cast<std::size_t>(error)];
}

HttpResponse error_response(ApiError error, std::string_view message) {
  const ApiErrorInfo& info = api_error_info(error);
  return json_response({{"error", {{"code", info.code}, {"message", message}}}}, info.status);
}

HttpResponse retry_later(ApiError error, std::string_view message, int seconds) {
  HttpResponse response = error_response(error, message);
  response.headers.push_back({"Retry-After", std::to_string(seconds)});
  return response;
}

HttpResponse field_error_response(const FieldErrors& errors, int status) {
  core::Json list = core::Json::array();
  for (const FieldError& error : errors) {
    core::Json item = {
        {"field", error.field}, {"constraint", error.constraint}, {"message", error.message}};
    if (!error.value.is_null()) item["value"] = error.value;
    list.push_back(std::move(item));
  }
  return json_response({{"errors", std::move(list)}}, status);
}

}  // namespace llm::server
