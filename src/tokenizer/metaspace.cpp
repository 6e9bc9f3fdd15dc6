#include "tokenizer/metaspace.h"

#include "core/error.h"
#include "core/quote.h"

namespace llm::tokenizer {

Result<MetaspaceOptions> parse_metaspace(const JsonNode& node) {
  using Prepend = MetaspaceOptions::Prepend;
  LLM_RETURN_IF_ERROR(node.expect_keys(
      {"type", "replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep"}));
  MetaspaceOptions options;
  LLM_ASSIGN_OR_RETURN(options.mark, node.character("replacement"));
  LLM_ASSIGN_OR_RETURN(options.split, node.boolean_or("split", true));
  LLM_ASSIGN_OR_RETURN(const bool add_prefix, node.boolean_or("add_prefix_space", true));
  if (node.has("prepend_scheme")) {
    LLM_ASSIGN_OR_RETURN(const std::string name, node.string("prepend_scheme"));
    if (name == "first") {
      options.prepend = Prepend::first;
    } else if (name == "never") {
      options.prepend = Prepend::never;
    } else if (name != "always") {
      return node.member("prepend_scheme")
          .unsupported(fmt::format("unknown scheme {}", core::quote(name)));
    }
    if (!add_prefix && options.prepend != Prepend::never) {
      return node.corrupt("add_prefix_space is false, but prepend_scheme is not \"never\"");
    }
  }
  // Files from before prepend_scheme say it with add_prefix_space alone.
  if (!add_prefix) options.prepend = Prepend::never;
  return options;
}

}  // namespace llm::tokenizer
