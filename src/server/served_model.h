// What every route that generates has in common: the model's name on the wire, whether a request
// names this model, and what the engine's refusals are over HTTP.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "llm/engine.h"
#include "server/http_message.h"
#include "server/server_options.h"

namespace llm::server {

/// The name of the model on the wire.
std::string served_model_name(const ServerOptions& options, const ModelInfo& info);

/// Whether `name` is the served name, or the model's own name or path.
bool names_model(const ServerOptions& options, const ModelInfo& info, std::string_view name);

/// 404 when `name` (empty: not given) is another model's.
std::optional<HttpResponse> check_model(const ServerOptions& options, const ModelInfo& info,
                                        std::string_view name);
HttpResponse unknown_model(const ServerOptions& options, const ModelInfo& info,
                           std::string_view name);

/// 503 of a worker that is going away.
HttpResponse shutting_down(std::string_view why);

/// The type that a request runs in: `wanted`, or the one that was loaded first.
DType dtype_in_use(std::optional<DType> wanted, const ModelInfo& info);

/// Engine::submit()'s error for a request that passed the schema. `field`: the prompt's; `dtype`:
/// what it runs in.
HttpResponse refused_by_engine(const Engine& engine, const Status& status, std::string_view field,
                               DType dtype);

}  // namespace llm::server
