// ServerOptions: everything the worker's network side is told at start. Plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "llm/status.h"
#include "server/job_request.h"
#include "server/job_store.h"

namespace llm::server {

struct HttpLimits {
  std::size_t header_bytes = std::size_t{16} << 10U;
  std::size_t body_bytes = std::size_t{4} << 20U;
  std::size_t connections = 512;
  std::chrono::milliseconds read_timeout = std::chrono::seconds(60);   ///< for a whole request
  std::chrono::milliseconds write_timeout = std::chrono::seconds(30);  ///< without any progress
  std::chrono::milliseconds ping_interval = std::chrono::seconds(10);  ///< on streams that wait
};

struct HeartbeatOptions {
  std::string url;  ///< "http://host:port[/base]"; empty: none
  std::string worker_id;
  std::string device = "cpu:0";
  std::chrono::milliseconds interval = std::chrono::seconds(30);
};

struct ServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;              ///< 0: any free one
  std::string api_key;                    ///< empty: no authentication, loopback addresses only
  std::vector<std::string> cors_origins;  ///< "*" for any
  std::string model_name;                 ///< shown on the wire; empty: the loaded model's own name
  /// Further names that `model` may have in a request, e.g. the path given at start.
  std::vector<std::string> model_aliases;
  std::string version = "0";
  JobLimits job_limits;
  JobStoreLimits job_store;
  HttpLimits http;
  HeartbeatOptions heartbeat;
};

/// ok, or which option is wrong.
Status validate(const ServerOptions& options);

}  // namespace llm::server
