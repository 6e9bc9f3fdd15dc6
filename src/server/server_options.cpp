#include "server/server_options.h"

#include "core/error.h"
#include "server/url.h"

namespace llm::server {

Status validate(const ServerOptions& options) {
  if (options.host.empty()) return core::invalid_argument("--host must not be empty");
  if (options.api_key.empty() && !is_loopback_host(options.host)) {
    return core::invalid_argument(
        "--host {}: without an API key the worker listens on loopback addresses only "
        "(127.0.0.1, ::1, localhost); set --api-key or LLORCH_API_TOKEN",
        options.host);
  }
  for (const char c : options.api_key) {
    if (c <= ' ' || c > '~') {
      return core::invalid_argument("--api-key: only printable ASCII without spaces can be sent");
    }
  }
  if (options.job_limits.max_tokens_limit < 1) {
    return core::invalid_argument("--max-tokens-limit must be at least 1");
  }
  if (options.job_limits.max_prompt_chars < 1) {
    return core::invalid_argument("--max-prompt-chars must be at least 1");
  }
  if (options.job_store.ttl.count() < 0) {
    return core::invalid_argument("--job-ttl must not be negative");
  }
  if (!options.heartbeat.url.empty()) {
    LLM_RETURN_IF_ERROR(parse_url(options.heartbeat.url).status());
  }
  return {};
}

}  // namespace llm::server
