#include "tokenizer/post_processor.h"

#include <optional>

#include "core/error.h"
#include "core/quote.h"

namespace llm::tokenizer {

PostProcessor::PostProcessor(std::vector<std::int32_t> before, std::vector<std::int32_t> after)
    : parts_{{false, std::move(before)}, {true, {}}, {false, std::move(after)}} {}

Result<PostProcessor> PostProcessor::parse(const JsonNode& node) {
  if (node.is_null()) return PostProcessor();
  LLM_ASSIGN_OR_RETURN(const std::string type, node.type());
  if (type == "TemplateProcessing") return parse_template(node);
  if (type == "ByteLevel") {  // corrects offsets only
    LLM_RETURN_IF_ERROR(
        node.expect_keys({"type", "add_prefix_space", "trim_offsets", "use_regex"}));
    return PostProcessor();
  }
  if (type != "Sequence")
    return node.unsupported(fmt::format("unsupported type {}", core::quote(type)));

  LLM_RETURN_IF_ERROR(node.expect_keys({"type", "processors"}));
  LLM_ASSIGN_OR_RETURN(const std::vector<JsonNode> items, node.items("processors"));
  std::optional<PostProcessor> only;
  for (const JsonNode& item : items) {
    LLM_ASSIGN_OR_RETURN(const std::string item_type, item.type());
    if (item_type == "Sequence") return item.unsupported("a sequence inside a sequence");
    LLM_ASSIGN_OR_RETURN(PostProcessor one, parse(item));
    if (item_type != "TemplateProcessing") continue;
    if (only) return item.unsupported("a second template");
    only = std::move(one);
  }
  return only.value_or(PostProcessor());
}

Result<PostProcessor> PostProcessor::parse_template(const JsonNode& node) {
  LLM_RETURN_IF_ERROR(node.expect_keys({"type", "single", "pair", "special_tokens"}));
  LLM_ASSIGN_OR_RETURN(const std::vector<JsonNode> pieces, node.items("single"));
  const JsonNode specials = node.member("special_tokens");
  PostProcessor result;
  result.parts_.clear();
  for (const JsonNode& piece : pieces) {
    LLM_RETURN_IF_ERROR(piece.expect_keys({"Sequence", "SpecialToken"}));
    if (piece.has("Sequence") == piece.has("SpecialToken")) {
      return piece.corrupt("expected either a Sequence or a SpecialToken");
    }
    const bool text = piece.has("Sequence");
    const JsonNode what = piece.member(text ? "Sequence" : "SpecialToken");
    LLM_RETURN_IF_ERROR(what.expect_keys({"id", "type_id"}));
    LLM_ASSIGN_OR_RETURN(const std::string name, what.string("id"));
    Part part{text, {}};
    if (text) {
      if (name != "A")
        return what.corrupt(fmt::format("sequence {} in a single text", core::quote(name)));
    } else {
      if (!specials.has(name)) {
        return what.corrupt(fmt::format("{} is not among special_tokens", core::quote(name)));
      }
      LLM_ASSIGN_OR_RETURN(const std::vector<JsonNode> ids, specials.member(name).items("ids"));
      for (const JsonNode& id : ids) {
        if (!id.value().is_number_unsigned() || id.value().get<std::uint64_t>() > INT32_MAX) {
          return id.corrupt("expected a token id");
        }
        part.ids.push_back(id.value().get<std::int32_t>());
      }
    }
    result.parts_.push_back(std::move(part));
  }
  return result;
}

std::vector<std::int32_t> PostProcessor::apply(std::vector<std::int32_t> ids,
                                               bool add_special) const {
  if (parts_.size() == 1 && parts_[0].text) return ids;
  std::vector<std::int32_t> result;
  result.reserve(ids.size() + parts_.size());
  for (const Part& part : parts_) {
    if (!part.text && !add_special) continue;
    const std::vector<std::int32_t>& add = part.text ? ids : part.ids;
    result.insert(result.end(), add.begin(), add.end());
  }
  return result;
}

std::vector<std::int32_t> PostProcessor::special_ids() const {
  std::vector<std::int32_t> ids;
  for (const Part& part : parts_) ids.insert(ids.end(), part.ids.begin(), part.ids.end());
  return ids;
}

}  // namespace llm::tokenizer
