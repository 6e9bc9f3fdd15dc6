// JsonNode: a JSON value together with its place in the file ("tokenizer.json:
// decoder.decoders[2]"), for readers that name the part they reject. Refers to the document, which
// must outlive it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "llm/status.h"
#include "tokenizer/regex.h"

namespace llm::tokenizer {

class JsonNode {
 public:
  JsonNode(const core::Json& value, std::string path) : value_(&value), path_(std::move(path)) {}

  const core::Json& value() const { return *value_; }
  const std::string& path() const { return path_; }
  bool is_null() const { return value_->is_null(); }

  /// "<path>: <message>".
  Status corrupt(std::string_view message) const;
  Status unsupported(std::string_view message) const;

  bool has(std::string_view key) const;
  /// The member, or a null value when it is absent. Only for objects.
  JsonNode member(std::string_view key) const;

  /// An error unless this is an object with no other keys than these.
  Status expect_keys(std::initializer_list<std::string_view> keys) const;
  /// The member "type" of an object.
  Result<std::string> type() const;

  Result<std::string> string(std::string_view key) const;
  Result<bool> boolean(std::string_view key) const;
  /// The default also stands for a null.
  Result<bool> boolean_or(std::string_view key, bool missing) const;
  Result<std::int32_t> integer(std::string_view key) const;
  /// A string of exactly one character.
  Result<char32_t> character(std::string_view key) const;
  /// The items of an array member, each with its path.
  Result<std::vector<JsonNode>> items(std::string_view key) const;
  /// {"String": text} or {"Regex": expression}.
  Result<Regex> pattern(std::string_view key) const;

 private:
  std::string path_of(std::string_view key) const;

  const core::Json* value_;
  std::string path_;
};

}  // namespace llm::tokenizer
