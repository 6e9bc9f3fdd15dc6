#include "engine/load_tokenizer.h"

#include <filesystem>
#include <limits>
#include <optional>
#include <string>

#include "core/error.h"
#include "core/mapped_file.h"
#include "tokenizer/gguf_model_name.h"

namespace llm::engine {
namespace {

using tokenizer::Tokenizer;

// Text of a file, empty when there is none.
Result<std::string> read_if_there(const std::filesystem::path& path) {
  constexpr std::size_t kMaxBytes = std::size_t{256} << 20;
  auto text = core::read_text_file(path, kMaxBytes);
  if (!text && text.error().code() == StatusCode::not_found) return std::string();
  return text;
}

Result<std::unique_ptr<Tokenizer>> load_json(const std::filesystem::path& directory) {
  LLM_ASSIGN_OR_RETURN(const std::string json, read_if_there(directory / "tokenizer.json"));
  if (json.empty()) return core::not_found("{}: there is no tokenizer.json", directory.string());
  LLM_ASSIGN_OR_RETURN(const std::string config,
                       read_if_there(directory / "tokenizer_config.json"));
  auto result = tokenizer::tokenizer_from_json(json, config);
  if (!result) return result.error().with_prefix(directory.string());
  return result;
}

// -1 when the key is absent.
Result<std::int32_t> get_id(const formats::GgufMetadata& metadata, std::string_view key) {
  LLM_ASSIGN_OR_RETURN(const std::optional<std::int64_t> id, metadata.get_int(key));
  if (!id) return -1;
  if (*id < 0 || *id > std::numeric_limits<std::int32_t>::max()) {
    return core::corrupt_data("{}: {} is not a token id", key, *id);
  }
  return static_cast<std::int32_t>(*id);
}

Result<std::unique_ptr<Tokenizer>> load_gguf(const formats::GgufMetadata& metadata) {
  tokenizer::GgufVocabulary vocabulary;
  LLM_ASSIGN_OR_RETURN(const auto architecture, metadata.get_string("general.architecture"));
  vocabulary.architecture = architecture.value_or("");
  LLM_ASSIGN_OR_RETURN(const auto model, metadata.get_string("tokenizer.ggml.model"));
  if (!model) return core::not_found("tokenizer.ggml.model is missing: the file has no tokenizer");
  if (*model == "none" || *model == "no_vocab") {
    return core::not_found("tokenizer.ggml.model is {}: the file has no tokenizer", *model);
  }
  vocabulary.model = *model;
  LLM_ASSIGN_OR_RETURN(const auto pre, metadata.get_string("tokenizer.ggml.pre"));
  vocabulary.pre = pre.value_or("");

  LLM_ASSIGN_OR_RETURN(const auto* tokens, metadata.get_strings("tokenizer.ggml.tokens"));
  if (tokens == nullptr) return core::corrupt_data("tokenizer.ggml.tokens is missing");
  vocabulary.tokens = *tokens;
  LLM_ASSIGN_OR_RETURN(const auto* scores, metadata.get_floats("tokenizer.ggml.scores"));
  if (scores != nullptr) {
    for (const double score : *scores) vocabulary.scores.push_back(static_cast<float>(score));
  }
  LLM_ASSIGN_OR_RETURN(const auto* types, metadata.get_ints("tokenizer.ggml.token_type"));
  if (types != nullptr) {
    for (const std::int64_t type : *types) {
      if (type < 0 || type > std::numeric_limits<std::int32_t>::max()) {
        return core::corrupt_data("tokenizer.ggml.token_type: {} is not a token type", type);
      }
      vocabulary.token_types.push_back(static_cast<std::int32_t>(type));
    }
  }
  LLM_ASSIGN_OR_RETURN(const auto* merges, metadata.get_strings("tokenizer.ggml.merges"));
  if (merges != nullptr) {
    vocabulary.merges = *merges;
  } else if (vocabulary.model == "gpt2" || vocabulary.model == "gemma4") {
    return core::corrupt_data("tokenizer.ggml.merges is missing");
  }

  LLM_ASSIGN_OR_RETURN(vocabulary.bos_id, get_id(metadata, "tokenizer.ggml.bos_token_id"));
  LLM_ASSIGN_OR_RETURN(vocabulary.eos_id, get_id(metadata, "tokenizer.ggml.eos_token_id"));
  LLM_ASSIGN_OR_RETURN(vocabulary.unknown_id, get_id(metadata, "tokenizer.ggml.unknown_token_id"));
  LLM_ASSIGN_OR_RETURN(vocabulary.padding_id, get_id(metadata, "tokenizer.ggml.padding_token_id"));
  LLM_ASSIGN_OR_RETURN(vocabulary.add_bos, metadata.get_bool("tokenizer.ggml.add_bos_token"));
  LLM_ASSIGN_OR_RETURN(vocabulary.add_eos, metadata.get_bool("tokenizer.ggml.add_eos_token"));
  LLM_ASSIGN_OR_RETURN(vocabulary.add_space_prefix,
                       metadata.get_bool("tokenizer.ggml.add_space_prefix"));
  LLM_ASSIGN_OR_RETURN(const auto name, metadata.get_string("general.name"));
  vocabulary.name = name.value_or("");
  return tokenizer::tokenizer_from_gguf(std::move(vocabulary));
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> load_tokenizer(const formats::ModelFile& file) {
  if (file.format() == formats::FileFormat::safetensors) return load_json(file.directory());
  auto result = load_gguf(file.gguf());
  if (!result) return result.error().with_prefix(file.path().string());
  return result;
}

Result<std::unique_ptr<Tokenizer>> load_tokenizer(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return load_json(path);
  LLM_ASSIGN_OR_RETURN(const formats::ModelFile file, formats::ModelFile::open(path));
  return load_tokenizer(file);
}

}  // namespace llm::engine
