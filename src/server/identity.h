// Identifiers and timestamps that appear on the wire.
#pragma once

#include <chrono>
#include <string>

namespace llm::server {

/// "2024-05-01T12:30:00.250Z"
std::string rfc3339(std::chrono::system_clock::time_point when);

/// A random (version 4) UUID.
std::string random_uuid();

}  // namespace llm::server
