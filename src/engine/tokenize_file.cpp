#include "engine/tokenize_file.h"

#include <filesystem>

#include "engine/load_tokenizer.h"

namespace llm::engine {
namespace {

using Ids = std::span<const std::int32_t>;

// Drops what the tokenizer puts before and after every text: what the empty text is encoded to,
// at the front (BOS) or at the back (EOS).
Result<Ids> without_added(const tokenizer::Tokenizer& tokenizer, Ids ids) {
  LLM_ASSIGN_OR_RETURN(const std::vector<std::int32_t> added, tokenizer.encode(""));
  for (const std::int32_t id : added) {
    if (!ids.empty() && ids.front() == id) {
      ids = ids.subspan(1);
    } else if (!ids.empty() && ids.back() == id) {
      ids = ids.first(ids.size() - 1);
    }
  }
  return ids;
}

}  // namespace

Result<std::vector<std::int32_t>> tokenize_with(const std::string& model_path,
                                                std::string_view text, bool add_special) {
  LLM_ASSIGN_OR_RETURN(const auto tokenizer, load_tokenizer(std::filesystem::path(model_path)));
  return tokenizer->encode(text, {.add_special = add_special});
}

Result<std::string> detokenize_with(const std::string& model_path, Ids ids, bool strip_special) {
  LLM_ASSIGN_OR_RETURN(const auto tokenizer, load_tokenizer(std::filesystem::path(model_path)));
  if (strip_special) {
    LLM_ASSIGN_OR_RETURN(ids, without_added(*tokenizer, ids));
  }
  return tokenizer->decode(ids, /*skip_special=*/false);
}

}  // namespace llm::engine
