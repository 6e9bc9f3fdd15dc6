#include "tokenizer/json_node.h"

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "core/quote.h"
#include "tokenizer/utf8.h"

namespace llm::tokenizer {
namespace {

const core::Json kNull;

}  // namespace

Status JsonNode::corrupt(std::string_view message) const {
  return core::corrupt_data("{}: {}", path_, message);
}

Status JsonNode::unsupported(std::string_view message) const {
  return core::unsupported("{}: {}", path_, message);
}

bool JsonNode::has(std::string_view key) const {
  return value_->is_object() && value_->contains(key);
}

std::string JsonNode::path_of(std::string_view key) const {
  // The document itself is called "file.json: ", its parts follow without a dot.
  const char* separator = path_.ends_with(".json") ? ": " : ".";
  return path_ + separator + core::printable(key, 40);
}

JsonNode JsonNode::member(std::string_view key) const {
  return {has(key) ? *value_->find(key) : kNull, path_of(key)};
}

Status JsonNode::expect_keys(std::initializer_list<std::string_view> keys) const {
  if (!value_->is_object()) {
    return corrupt(fmt::format("expected an object, found {}", value_->type_name()));
  }
  for (const auto& [key, unused] : value_->items()) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      return unsupported(fmt::format("unknown option {}", core::quote(key)));
    }
  }
  return Status();
}

Result<std::string> JsonNode::type() const {
  if (!value_->is_object()) {
    return corrupt(fmt::format("expected an object, found {}", value_->type_name()));
  }
  return string("type");
}

Result<std::string> JsonNode::string(std::string_view key) const {
  const JsonNode node = member(key);
  if (!node.value().is_string()) {
    return node.corrupt(fmt::format("expected a string, found {}", node.value().type_name()));
  }
  return node.value().get<std::string>();
}

Result<bool> JsonNode::boolean(std::string_view key) const {
  const JsonNode node = member(key);
  if (!node.value().is_boolean()) {
    return node.corrupt(fmt::format("expected true or false, found {}", node.value().type_name()));
  }
  return node.value().get<bool>();
}

Result<bool> JsonNode::boolean_or(std::string_view key, bool missing) const {
  if (member(key).is_null()) return missing;
  return boolean(key);
}

Result<std::int32_t> JsonNode::integer(std::string_view key) const {
  const JsonNode node = member(key);
  if (!node.value().is_number_integer()) {
    return node.corrupt(fmt::format("expected an integer, found {}", node.value().type_name()));
  }
  constexpr auto kMax = std::numeric_limits<std::int32_t>::max();
  const bool fits = node.value().is_number_unsigned()
                        ? node.value().get<std::uint64_t>() <= std::uint64_t{kMax}
                        : node.value().get<std::int64_t>() >= 0;
  if (!fits) return node.corrupt(fmt::format("expected 0 to {}", kMax));
  return static_cast<std::int32_t>(node.value().get<std::int64_t>());
}

Result<char32_t> JsonNode::character(std::string_view key) const {
  LLM_ASSIGN_OR_RETURN(const std::string text, string(key));
  if (text.empty() || utf8_length(text[0]) != text.size()) {
    return member(key).corrupt(fmt::format("expected one character, found {}", core::quote(text)));
  }
  return decode_valid_utf8(text.data(), text.size());
}

Result<std::vector<JsonNode>> JsonNode::items(std::string_view key) const {
  const JsonNode node = member(key);
  if (!node.value().is_array()) {
    return node.corrupt(fmt::format("expected an array, found {}", node.value().type_name()));
  }
  std::vector<JsonNode> items;
  for (const core::Json& item : node.value()) {
    items.emplace_back(item, fmt::format("{}[{}]", node.path(), items.size()));
  }
  return items;
}

Result<Regex> JsonNode::pattern(std::string_view key) const {
  const JsonNode node = member(key);
  if (!node.value().is_object() || node.value().size() != 1) {
    return node.corrupt("expected {\"String\": ...} or {\"Regex\": ...}");
  }
  LLM_RETURN_IF_ERROR(node.expect_keys({"String", "Regex"}));
  const bool literal = node.has("String");
  LLM_ASSIGN_OR_RETURN(const std::string text, node.string(literal ? "String" : "Regex"));
  Result<Regex> regex = literal ? Regex::compile_literal(text) : Regex::compile(text);
  if (!regex.has_value()) return regex.error().with_prefix(node.path());
  return regex;
}

}  // namespace llm::tokenizer
