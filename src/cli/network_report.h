// What `inspect` says about the layers of a model: as text and as JSON.
#pragma once

#include <string>

#include "core/json.h"
#include "offline/describe_network.h"

namespace llm::cli {

/// Several lines, each ended by a newline.
std::string network_text(const offline::NetworkDescription& network);

core::Json network_json(const offline::NetworkDescription& network);

}  // namespace llm::cli
