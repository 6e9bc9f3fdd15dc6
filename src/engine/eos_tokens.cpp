#include "engine/eos_tokens.h"

#include <string_view>
#include <vector>

#include "core/error.h"

namespace llm::engine {
namespace {

// Markers that end a turn or a text in the families we know; a vocabulary that has one as a token
// of its own means it, even where no file lists its id.
struct EndText {
  std::string_view text;
  bool control_only = false;  // in some vocabularies an ordinary token has this text
  std::string_view beside;    // counts only where this is a token as well
};
constexpr EndText kEndTexts[] = {
    {"<|eot_id|>"},
    {"<|eom_id|>"},
    {"<|end_of_text|>"},
    {"<|im_end|>"},
    {"<|end|>"},
    {"<|endoftext|>"},
    {"<end_of_turn>"},
    {"<|end_of_turn|>"},
    {"<turn|>"},
    {"<|return|>"},
    {"<|call|>"},
    {"<EOT>"},
    {"_<EOT>"},
    {"<end_of_utterance>"},
    {"<｜end▁of▁sentence｜>"},
    {"<eos>", /*control_only=*/true},
    // Phi-3 begins another turn instead of ending its own.
    {"<|assistant|>", /*control_only=*/true, "<|placeholder1|>"},
};
// Where nothing else is found.
constexpr EndText kLastResorts[] = {{"</s>", /*control_only=*/true},
                                    {"[EOS]", /*control_only=*/true}};

class Collector {
 public:
  explicit Collector(std::int64_t vocab_size) : vocab_size_(vocab_size) {}

  Status add(std::int64_t id, std::string_view where) {
    if (id < 0 || id >= vocab_size_) {
      return core::corrupt_data("{}: end token: expected an id in 0..{}, found {}", where,
                                vocab_size_, id);
    }
    if (primary_ < 0) primary_ = static_cast<std::int32_t>(id);
    ids_.push_back(static_cast<std::int32_t>(id));
    return {};
  }

  // An integer, or a list of integers; null and absent say nothing.
  Status add_json(const core::Json& object, std::string_view where) {
    const auto found = object.find("eos_token_id");
    if (found == object.end() || found->is_null()) return {};
    const auto add_one = [&](const core::Json& value) -> Status {
      if (!value.is_number_integer()) {
        return core::corrupt_data("{}: eos_token_id: expected an integer or a list of integers",
                                  where);
      }
      return add(value.get<std::int64_t>(), where);
    };
    if (!found->is_array()) return add_one(*found);
    for (const core::Json& value : *found) LLM_RETURN_IF_ERROR(add_one(value));
    return {};
  }

  bool empty() const { return ids_.empty(); }
  EosTokens take() { return EosTokens(primary_, std::move(ids_)); }

 private:
  std::int64_t vocab_size_;
  std::int32_t primary_ = -1;
  std::vector<std::int32_t> ids_;
};

Status add_from_directory(const formats::ModelFile& file, const tokenizer::Tokenizer& tokenizer,
                          Collector& collector) {
  const std::string directory = file.directory().string() + "/";
  LLM_ASSIGN_OR_RETURN(const core::Json generation, file.companion_json("generation_config.json"));
  if (generation.is_object()) {
    LLM_RETURN_IF_ERROR(collector.add_json(generation, directory + "generation_config.json"));
  }
  LLM_RETURN_IF_ERROR(collector.add_json(file.config(), directory + "config.json"));
  // Models that also see pictures have a configuration of their own for text.
  const auto text_config = file.config().find("text_config");
  if (text_config != file.config().end() && text_config->is_object()) {
    LLM_RETURN_IF_ERROR(collector.add_json(*text_config, directory + "config.json: text_config"));
  }
  LLM_ASSIGN_OR_RETURN(const core::Json settings, file.companion_json("tokenizer_config.json"));
  if (!settings.is_object()) return {};
  const auto eos = settings.find("eos_token");
  if (eos == settings.end() || eos->is_null()) return {};
  // Either the text itself, or an added-token object that holds it.
  const core::Json& text = eos->is_object() && eos->contains("content") ? (*eos)["content"] : *eos;
  if (!text.is_string()) {
    return core::corrupt_data("{}tokenizer_config.json: eos_token: expected a string", directory);
  }
  if (const auto id = tokenizer.token_id(text.get<std::string>())) {
    return collector.add(*id, directory + "tokenizer_config.json");
  }
  return {};
}

Status add_from_gguf(const formats::ModelFile& file, Collector& collector) {
  for (const std::string_view key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                     "tokenizer.ggml.eom_token_id"}) {
    const auto id = file.gguf().get_int(key);
    const std::string where = file.path().string() + ": " + std::string(key);
    if (!id) return id.error().with_prefix(file.path().string());
    if (*id) LLM_RETURN_IF_ERROR(collector.add(**id, where));
  }
  return {};
}

}  // namespace

Result<EosTokens> find_eos_tokens(const formats::ModelFile& file,
                                  const tokenizer::Tokenizer& tokenizer, std::int64_t vocab_size) {
  Collector collector(vocab_size);
  if (file.format() == formats::FileFormat::gguf) {
    LLM_RETURN_IF_ERROR(add_from_gguf(file, collector));
  } else {
    LLM_RETURN_IF_ERROR(add_from_directory(file, tokenizer, collector));
  }
  const auto has = [&](std::string_view text) { return tokenizer.token_id(text).has_value(); };
  const auto add_text = [&](const EndText& end) -> Status {
    const auto id = tokenizer.token_id(end.text);
    if (!id || *id >= vocab_size || (end.control_only && !tokenizer.is_special(*id)) ||
        (!end.beside.empty() && !has(end.beside))) {
      return {};
    }
    return collector.add(*id, "tokenizer");
  };
  // gpt-oss style vocabularies use <|end|> inside a turn when both of these exist.
  const bool end_is_inner = has("<|return|>") && has("<|call|>");
  for (const EndText& end : kEndTexts) {
    if (end_is_inner && end.text == "<|end|>") continue;
    LLM_RETURN_IF_ERROR(add_text(end));
  }
  if (collector.empty()) {
    for (const EndText& end : kLastResorts) LLM_RETURN_IF_ERROR(add_text(end));
  }
  return collector.take();
}

}  // namespace llm::engine
