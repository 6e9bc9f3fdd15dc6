// SHA-256 (FIPS 180-4), for the fingerprint under which an API key may appear in logs.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace llm::server {

std::array<std::uint8_t, 32> sha256(std::string_view data);

/// The digest as 64 lower-case hex digits.
std::string sha256_hex(std::string_view data);

/// First six hex digits of the SHA-256 of a key.
std::string key_fingerprint(std::string_view key);

}  // namespace llm::server
