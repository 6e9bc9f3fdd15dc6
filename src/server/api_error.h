// The errors of all routes: one table of codes with their HTTP status, and the shapes of their
// bodies:
//   {"error":{"code","message"}}                                jobs, operations: one problem
//   {"errors":[{"field","constraint","message","value"?}]}      jobs, operations: refused fields
//   {"error":{"message","type","param","code"}}                 OpenAI API
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "server/http_message.h"

namespace llm::server {

// name, code and HTTP status; type and code in the OpenAI API ("" is null); meaning
#define LLM_API_ERRORS(X)                                                                         \
  X(invalid_request, "INVALID_REQUEST", 400, "invalid_request_error", "",                         \
    "the request is malformed or a field is refused")                                             \
  X(context_exceeded, "CONTEXT_LENGTH_EXCEEDED", 400, "invalid_request_error",                    \
    "context_length_exceeded", "the prompt leaves no room in the context (OpenAI API)")           \
  X(missing_api_key, "MISSING_API_KEY", 401, "authentication_error", "invalid_api_key",           \
    "the route needs a key and none was sent")                                                    \
  X(invalid_api_key, "INVALID_API_KEY", 401, "authentication_error", "invalid_api_key",           \
    "the key sent is not the worker's")                                                           \
  X(not_found, "NOT_FOUND", 404, "invalid_request_error", "not_found", "no such route or job")    \
  X(model_not_found, "MODEL_NOT_FOUND", 404, "invalid_request_error", "model_not_found",          \
    "`model` names another model than the one served")                                            \
  X(method_not_allowed, "METHOD_NOT_ALLOWED", 405, "invalid_request_error", "method_not_allowed", \
    "the route exists for the methods in `Allow`")                                                \
  X(request_timeout, "REQUEST_TIMEOUT", 408, "invalid_request_error", "request_timeout",          \
    "the request did not arrive in time")                                                         \
  X(payload_too_large, "PAYLOAD_TOO_LARGE", 413, "invalid_request_error", "payload_too_large",    \
    "the body is over the limit")                                                                 \
  X(unsupported_media_type, "UNSUPPORTED_MEDIA_TYPE", 415, "invalid_request_error",               \
    "unsupported_media_type", "the body is not application/json")                                 \
  X(dtype_not_resident, "DTYPE_NOT_RESIDENT", 422, "invalid_request_error", "dtype_not_resident", \
    "`dtype` is supported but not loaded, and there is no memory for it")                         \
  X(queue_full, "QUEUE_FULL", 429, "rate_limit_error", "queue_full",                              \
    "too many requests wait; see `Retry-After`")                                                  \
  X(headers_too_large, "HEADERS_TOO_LARGE", 431, "invalid_request_error", "headers_too_large",    \
    "the header block is over the limit")                                                         \
  X(internal, "INTERNAL_ERROR", 500, "server_error", "internal_error", "a defect of the worker")  \
  X(model_loading, "MODEL_LOADING", 503, "unavailable_error", "model_loading",                    \
    "the model is not loaded yet; see `Retry-After`")                                             \
  X(model_failed, "MODEL_FAILED", 503, "unavailable_error", "model_failed",                       \
    "the model could not be loaded, or its engine has given up")                                  \
  X(shutting_down, "SHUTTING_DOWN", 503, "unavailable_error", "shutting_down",                    \
    "the worker takes no new jobs; see `Retry-After`")                                            \
  X(too_many_connections, "TOO_MANY_CONNECTIONS", 503, "unavailable_error",                       \
    "too_many_connections", "the connection limit is reached")

enum class ApiError : std::uint8_t {
#define LLM_API_ERROR_ENUM(name, code, status, type, openai_code, meaning) name,
  LLM_API_ERRORS(LLM_API_ERROR_ENUM)
#undef LLM_API_ERROR_ENUM
};

struct ApiErrorInfo {
  std::string_view code;
  int status;
  std::string_view openai_type;
  std::string_view openai_code;
  std::string_view meaning;
};

/// Every error, in order of the enum.
const std::vector<ApiErrorInfo>& api_errors();
const ApiErrorInfo& api_error_info(ApiError error);

/// One refused field. `value` is null when it is not to be shown (prompts, long texts).
struct FieldError {
  std::string field;
  std::string constraint;
  std::string message;
  core::Json value = nullptr;
};
using FieldErrors = std::vector<FieldError>;

/// What an error response is made of, so that it can be written in either API's shape.
struct Problem {
  ApiError error = ApiError::internal;
  std::string message;
  FieldErrors fields;            ///< for field errors; then `message` is empty
  core::Json details = nullptr;  ///< an object: further members, such as counts
};

/// The response with the body of the jobs API; `problem` is kept beside it.
HttpResponse problem_response(Problem problem);
/// {"error":{"message","type","param","code"}}, the object that OpenAI clients expect.
core::Json openai_error(const Problem& problem);

HttpResponse error_response(ApiError error, std::string_view message);
/// The same with a Retry-After header, in seconds.
HttpResponse retry_later(ApiError error, std::string_view message, int seconds);

/// All refused fields at once: 400.
HttpResponse field_error_response(FieldErrors errors);

}  // namespace llm::server
