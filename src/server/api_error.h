// The errors of the jobs API and the operations: one table of codes with their HTTP status, and the
// two shapes of an error body:
//   {"error":{"code","message"}}                                    one problem of the request
//   {"errors":[{"field","constraint","message","value"?}]}          problems of its fields
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "server/http_message.h"

namespace llm::server {

// name, wire code, HTTP status, meaning
#define LLM_API_ERRORS(X)                                                                         \
  X(invalid_request, "INVALID_REQUEST", 400, "the request is malformed or a field is refused")    \
  X(missing_api_key, "MISSING_API_KEY", 401, "the route needs a key and none was sent")           \
  X(invalid_api_key, "INVALID_API_KEY", 401, "the key sent is not the worker's")                  \
  X(not_found, "NOT_FOUND", 404, "no such route or job")                                          \
  X(model_not_found, "MODEL_NOT_FOUND", 404, "`model` names another model than the one served")   \
  X(method_not_allowed, "METHOD_NOT_ALLOWED", 405, "the route exists for the methods in `Allow`") \
  X(request_timeout, "REQUEST_TIMEOUT", 408, "the request did not arrive in time")                \
  X(payload_too_large, "PAYLOAD_TOO_LARGE", 413, "the body is over the limit")                    \
  X(unsupported_media_type, "UNSUPPORTED_MEDIA_TYPE", 415, "the body is not application/json")    \
  X(queue_full, "QUEUE_FULL", 429, "too many jobs wait; see `Retry-After`")                       \
  X(headers_too_large, "HEADERS_TOO_LARGE", 431, "the header block is over the limit")            \
  X(internal, "INTERNAL_ERROR", 500, "a defect of the worker")                                    \
  X(model_loading, "MODEL_LOADING", 503, "the model is not loaded yet; see `Retry-After`")        \
  X(model_failed, "MODEL_FAILED", 503, "the model could not be loaded")                           \
  X(shutting_down, "SHUTTING_DOWN", 503, "the worker takes no new jobs; see `Retry-After`")       \
  X(too_many_connections, "TOO_MANY_CONNECTIONS", 503, "the connection limit is reached")

enum class ApiError : std::uint8_t {
#define LLM_API_ERROR_ENUM(name, code, status, meaning) name,
  LLM_API_ERRORS(LLM_API_ERROR_ENUM)
#undef LLM_API_ERROR_ENUM
};

struct ApiErrorInfo {
  std::string_view code;
  int status;
  std::string_view meaning;
};

/// Every error, in order of the enum.
const std::vector<ApiErrorInfo>& api_errors();
const ApiErrorInfo& api_error_info(ApiError error);

HttpResponse error_response(ApiError error, std::string_view message);
/// The same with a Retry-After header, in seconds.
HttpResponse retry_later(ApiError error, std::string_view message, int seconds);

/// One refused field. `value` is null when it is not to be shown (prompts, long texts).
struct FieldError {
  std::string field;
  std::string constraint;
  std::string message;
  core::Json value = nullptr;
};
using FieldErrors = std::vector<FieldError>;

/// All refused fields at once; 400 unless said otherwise.
HttpResponse field_error_response(const FieldErrors& errors, int status = 400);

}  // namespace llm::server
