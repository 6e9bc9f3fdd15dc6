#include "tokenizer/gguf_pre_split.h"

#include <utility>

namespace llm::tokenizer {
namespace {

constexpr std::string_view kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S))";
constexpr std::string_view kLlama3 =
    R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// Numbers digit by digit.
constexpr std::string_view kQwen2 =
    R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// Marks count as letters.
constexpr std::string_view kQwen35 =
    R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+)"
    R"(|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// Words end where a lower-case letter meets an upper-case one.
constexpr std::string_view kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kGpt4o =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kDeepseekV3 =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
    R"(| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// Letters of the alphabets with case, from a fixed version of Unicode.
constexpr std::string_view kDeepseekLetters =
    R"(\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽ)"
    R"(ᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴ)"
    R"(ῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ)"
    R"(-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+)";
constexpr std::string_view kDeepseekPunctuation = R"(\s?[!-/:-~！-／：-～‘-‟　-。]+)";
constexpr std::string_view kDeepseekCjk = R"([一-龥ࠀ-一가-퟿]+)";
// The numbers and the punctuation of Korean, Japanese and Chinese go by themselves.
constexpr std::string_view kYoutuScripts =
    R"([가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+)";
constexpr std::string_view kYoutu =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// Without contractions.
constexpr std::string_view kUfakzeka =
    R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// Punctuation does not take line ends with it.
constexpr std::string_view kSeedCoder =
    R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
    R"(| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kMinicpm5 =
    R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+)"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kBloom = R"( ?[^(\s|.,!?…。，、।۔،)]+)";

using Named = std::pair<std::string_view, GgufPreSplit>;

const std::vector<Named>& table() {
  static const auto* const kTable = new std::vector<Named>([] {
    const GgufPreSplit fallback{
        {R"([\p{P}\$\+<=>\^~\|]+)", kGpt2, R"(\p{N}+)", R"([0-9][0-9][0-9])"}};
    const GgufPreSplit llama3{{kLlama3}, /*ignore_merges=*/true, /*add_bos=*/true};
    const GgufPreSplit llama3_words{{kLlama3}};
    const GgufPreSplit llama3_whole_words{{kLlama3}, /*ignore_merges=*/true};
    // Qwen's and StableLM 2's own tokenizers normalise text; GGUF has no key that says so.
    const auto normalized = [](GgufPreSplit pre_split) {
      pre_split.nfc = true;
      return pre_split;
    };
    const GgufPreSplit qwen2_words{{kQwen2}};
    const GgufPreSplit qwen2 = normalized(qwen2_words);
    const GgufPreSplit gpt4o{{kGpt4o}};
    const GgufPreSplit deepseek_v3{{R"(\p{N}{1,3})", R"([一-龥぀-ゟ゠-ヿ]+)", kDeepseekV3}};
    const GgufPreSplit gpt2{{kGpt2}};
    const GgufPreSplit starcoder{{R"(\p{N})", kGpt2}};
    const GgufPreSplit bloom{{kBloom}};
    return std::vector<Named>{
        {"default", fallback},
        {"llama3", llama3},
        {"llama-v3", llama3},
        {"llama-bpe", llama3},
        {"falcon3", llama3},
        {"pixtral", llama3},
        {"midm-2.0", llama3},
        {"glm4", llama3_whole_words},
        {"glm5", llama3_whole_words},
        {"dbrx", llama3_words},
        {"smaug-bpe", llama3_words},
        {"chatglm-bpe", llama3_words},
        {"qwen2", qwen2},
        {"deepseek-r1-qwen", qwen2},
        {"stablelm2", qwen2},
        {"megrez", qwen2_words},
        {"kormo", qwen2_words},
        {"f2llmv2", qwen2_words},
        {"qwen35", normalized({{kQwen35}})},
        {"ufakzeka", {{kUfakzeka}}},
        {"seed-coder", {{kSeedCoder}}},
        {"gpt-2", gpt2},
        {"phi-2", gpt2},
        {"mpt", gpt2},
        {"olmo", gpt2},
        {"jais", gpt2},
        {"gigachat", gpt2},
        {"a.x-4.0", gpt2},
        {"mellum", gpt2},
        {"trillion", gpt2},
        {"granite-docling", gpt2},
        {"jina-es", gpt2},
        {"jina-de", gpt2},
        {"jina-v1-en", gpt2},
        {"roberta-bpe", gpt2},
        {"starcoder", starcoder},
        {"refact", starcoder},
        {"command-r", starcoder},
        {"smollm", starcoder},
        {"codeshell", starcoder},
        {"exaone", starcoder},
        {"minerva-7b", starcoder},
        {"mellum2", starcoder},
        {"falcon", {{R"([\p{P}\$\+<=>\^~\|`]+)", kGpt2, R"([0-9][0-9][0-9])"}}},
        {"deepseek-llm",
         {{R"([\r\n])", kDeepseekLetters, kDeepseekPunctuation, R"(\s+$)", kDeepseekCjk,
           R"(\p{N}+)"}}},
        {"deepseek-coder",
         {{R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", kDeepseekCjk, R"(\p{N})"}}},
        {"deepseek-v3", deepseek_v3},
        {"joyai-llm", deepseek_v3},
        {"youtu", {{kYoutuScripts, kYoutu}, /*ignore_merges=*/true}},
        {"tekken", {{kTekken}, /*ignore_merges=*/true, /*add_bos=*/true}},
        {"gpt-4o", gpt4o},
        {"llama4", gpt4o},
        {"kanana2", gpt4o},
        {"minicpm5", {{R"(\p{N}{1,3})", kMinicpm5}, /*ignore_merges=*/true}},
        {"bloom", bloom},
        {"poro-chat", bloom},
        {"gpt3-finnish", bloom},
        {"viking", {{kBloom, R"(\p{N})"}}},
    };
  }());
  return *kTable;
}

}  // namespace

const GgufPreSplit* find_gguf_pre_split(std::string_view name) {
  for (const auto& [key, pre_split] : table()) {
    if (key == name) return &pre_split;
  }
  return nullptr;
}

std::string_view infer_gguf_pre_split(
    std::string_view architecture, std::size_t vocab_size,
    core::FunctionRef<std::int32_t(std::string_view)> find_token) {
  // Families whose files all have one tokenizer.
  constexpr std::pair<std::string_view, std::string_view> kByArchitecture[] = {
      {"falcon", "falcon"},  {"starcoder", "starcoder"}, {"starcoder2", "starcoder"},
      {"phi2", "phi-2"},     {"gpt2", "gpt-2"},          {"qwen2", "qwen2"},
      {"qwen2moe", "qwen2"}, {"qwen3", "qwen2"},         {"qwen3moe", "qwen2"}};
  for (const auto& [name, pre] : kByArchitecture) {
    if (name == architecture) return pre;
  }
  // StableLM 2 has 100 thousand tokens; StableLM had GPT-NeoX's 50 thousand.
  if (architecture == "stablelm") return vocab_size > 100'000 ? "stablelm2" : "gpt-2";
  if (find_token("<|begin_of_text|>") >= 0 && find_token("<|eot_id|>") >= 0) return "llama-bpe";
  if (find_token("<|im_start|>") == 151644) return "qwen2";
  switch (find_token("<｜begin▁of▁sentence｜>")) {
    case 0:
      return "deepseek-v3";
    case 32013:
      return "deepseek-coder";
    case 100000:
      return "deepseek-llm";
    case 151646:
      return "deepseek-r1-qwen";
    default:
      break;
  }
  if (find_token("[INST]") >= 0 && find_token("[IMG]") >= 0) return "tekken";
  if (find_token("<|endofprompt|>") == 200018) return "gpt-4o";
  return "";
}

}  // namespace llm::tokenizer
