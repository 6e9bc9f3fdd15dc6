// A minimal HTTP client for the heartbeat: one POST per connection, with a short deadline.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <string>

#include "llm/status.h"
#include "server/url.h"

namespace llm::server {

/// Posts `json` to url.base + path. `done` is called once on the network thread with the status of
/// the answer, or with why there was none; never when the io_context stops first.
void post_json(boost::asio::io_context& io, const Url& url, const std::string& path,
               std::string json, std::function<void(const Result<int>&)> done);

}  // namespace llm::server
