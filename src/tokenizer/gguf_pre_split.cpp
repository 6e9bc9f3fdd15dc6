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
constexpr std::string_view kBloom = R"( ?[^(\s|.,!?…。，、।۔،)]+)";

using Named = std::pair<std::string_view, GgufPreSplit>;

const std::vector<Named>& table() {
  static const auto* const kTable = new std::vector<Named>([] {
    const GgufPreSplit fallback{
        {R"([\p{P}\$\+<=>\^~\|]+)", kGpt2, R"(\p{N}+)", R"([0-9][0-9][0-9])"}};
    const GgufPreSplit llama3{{kLlama3}, /*ignore_merges=*/true, /*add_bos=*/true};
    const GgufPreSplit llama3_words{{kLlama3}};
    const GgufPreSplit qwen2{{kQwen2}};
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
        {"dbrx", llama3_words},
        {"smaug-bpe", llama3_words},
        {"chatglm-bpe", llama3_words},
        {"qwen2", qwen2},
        {"deepseek-r1-qwen", qwen2},
        {"stablelm2", qwen2},
        {"megrez", qwen2},
        {"qwen35", {{kQwen35}}},
        {"gpt-2", gpt2},
        {"phi-2", gpt2},
        {"mpt", gpt2},
        {"olmo", gpt2},
        {"jais", gpt2},
        {"gigachat", gpt2},
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
        {"falcon", {{R"([\p{P}\$\+<=>\^~\|`]+)", kGpt2, R"([0-9][0-9][0-9])"}}},
        {"deepseek-llm",
         {{R"([\r\n])", kDeepseekLetters, kDeepseekPunctuation, R"(\s+$)", kDeepseekCjk,
           R"(\p{N}+)"}}},
        {"deepseek-coder",
         {{R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", kDeepseekCjk, R"(\p{N})"}}},
        {"deepseek-v3", {{R"(\p{N}{1,3})", R"([一-龥぀-ゟ゠-ヿ]+)", kDeepseekV3}}},
        {"tekken", {{kTekken}, /*ignore_merges=*/true, /*add_bos=*/true}},
        {"gpt-4o", {{kGpt4o}}},
        {"llama4", {{kGpt4o}}},
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

}  // namespace llm::tokenizer
