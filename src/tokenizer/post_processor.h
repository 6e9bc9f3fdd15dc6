// PostProcessor: what tokenizer.json adds around the ids of a text, usually BOS and EOS. Plain
// value.
#pragma once

#include <cstdint>
#include <vector>

#include "llm/status.h"
#include "tokenizer/json_node.h"

namespace llm::tokenizer {

class PostProcessor {
 public:
  /// Adds nothing for a JSON null.
  static Result<PostProcessor> parse(const JsonNode& node);
  /// These ids before and after the text.
  PostProcessor(std::vector<std::int32_t> before, std::vector<std::int32_t> after);
  PostProcessor() = default;

  /// Without `add_special`, only the text's own ids.
  std::vector<std::int32_t> apply(std::vector<std::int32_t> ids, bool add_special) const;

  /// Every id it may add.
  std::vector<std::int32_t> special_ids() const;

 private:
  struct Part {
    bool text;                      // the ids of the text
    std::vector<std::int32_t> ids;  // else these
  };
  static Result<PostProcessor> parse_template(const JsonNode& node);

  std::vector<Part> parts_ = {{true, {}}};
};

}  // namespace llm::tokenizer
