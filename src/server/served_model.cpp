#include "server/served_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "server/api_error.h"

namespace llm::server {
namespace {

using core::Json;

constexpr int kShutdownRetrySeconds = 5;

// There is no memory for another copy of the weights; the numbers say what it would take.
HttpResponse dtype_not_resident(DType wanted, const ModelInfo& info, const Status& status) {
  FieldError error = {.field = "dtype",
                      .constraint = "fits_memory",
                      .message = status.message(),
                      .value = to_string(wanted)};
  Json details = {{"loaded_bytes", info.memory.weights}};
  if (const auto& shortage = status.shortage()) {
    details["required_bytes"] = shortage->required_bytes;
    details["available_bytes"] = shortage->available_bytes;
  }
  return problem_response({.error = ApiError::dtype_not_resident,
                           .message = {},
                           .fields = {std::move(error)},
                           .details = std::move(details)});
}

// The engine says when a place may be free.
HttpResponse queue_full(const Status& status) {
  constexpr std::int64_t kLongestSeconds = 120;
  const std::int64_t seconds =
      std::clamp<std::int64_t>((status.retry_after_ms() + 999) / 1000, 1, kLongestSeconds);
  return retry_later(ApiError::queue_full, status.message(), static_cast<int>(seconds));
}

}  // namespace

std::string served_model_name(const ServerOptions& options, const ModelInfo& info) {
  return options.model_name.empty() ? info.name : options.model_name;
}

bool names_model(const ServerOptions& options, const ModelInfo& info, std::string_view name) {
  return name == served_model_name(options, info) || name == info.name || name == info.path ||
         std::find(options.model_aliases.begin(), options.model_aliases.end(), name) !=
             options.model_aliases.end();
}

HttpResponse unknown_model(const ServerOptions& options, const ModelInfo& info,
                           std::string_view name) {
  constexpr std::size_t kLongestShown = 200;
  return error_response(
      ApiError::model_not_found,
      fmt::format("model \"{}\" is not served here (this worker serves \"{}\")",
                  name.substr(0, kLongestShown), served_model_name(options, info)));
}

std::optional<HttpResponse> check_model(const ServerOptions& options, const ModelInfo& info,
                                        std::string_view name) {
  if (!name.empty() && !names_model(options, info, name)) return unknown_model(options, info, name);
  return std::nullopt;
}

DType dtype_in_use(std::optional<DType> wanted, const ModelInfo& info) {
  return wanted.value_or(info.capabilities.dtype);
}

HttpResponse shutting_down(std::string_view why) {
  return retry_later(ApiError::shutting_down, why, kShutdownRetrySeconds);
}

HttpResponse refused_by_engine(const Engine& engine, const Status& status, std::string_view field,
                               DType dtype) {
  switch (status.code()) {
    case StatusCode::invalid_argument:
    case StatusCode::unsupported:
      return field_error_response(
          {{std::string(field), "fits_context", status.message(), nullptr}});
    case StatusCode::not_found:
      return field_error_response(
          {{std::string(field), "tokenizer",
            fmt::format("{} must be token ids: {}", field, status.message()), nullptr}});
    case StatusCode::unavailable:
      if (status.retry_after_ms() > 0) return queue_full(status);
      if (!engine.health().ok()) return error_response(ApiError::model_failed, status.message());
      return shutting_down(status.message());
    case StatusCode::resource_exhausted:
      if (dtype != engine.info().capabilities.dtype) {
        return dtype_not_resident(dtype, engine.info(), status);
      }
      return error_response(ApiError::internal, status.message());
    case StatusCode::io_error:
    case StatusCode::corrupt_data:  // of the file, which another type was to be loaded from
      return error_response(ApiError::model_failed, status.message());
    default:
      return error_response(ApiError::internal, status.message());
  }
}

}  // namespace llm::server
