#include "engine/tokenize_file.h"

#include <algorithm>

#include "engine/load_tokenizer.h"
#include "formats/model_file.h"

namespace llm::engine {
namespace {

using Ids = std::span<const std::int32_t>;

Result<std::unique_ptr<tokenizer::Tokenizer>> open_tokenizer(const std::string& model_path) {
  LLM_ASSIGN_OR_RETURN(const formats::ModelFile file, formats::ModelFile::open(model_path));
  return load_tokenizer(file);
}

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
  LLM_ASSIGN_OR_RETURN(const auto tokenizer, open_tokenizer(model_path));
  return tokenizer->encode(text, {.add_special = add_special});
}

Result<std::string> detokenize_with(const std::string& model_path, Ids ids, bool strip_special) {
  LLM_ASSIGN_OR_RETURN(const auto tokenizer, open_tokenizer(model_path));
  if (strip_special) {
    LLM_ASSIGN_OR_RETURN(ids, without_added(*tokenizer, ids));
  }
  return tokenizer->decode(ids, /*skip_special=*/false);
}

}  // namespace llm::engine
