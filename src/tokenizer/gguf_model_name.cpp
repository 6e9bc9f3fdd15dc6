#include "tokenizer/gguf_model_name.h"

#include <utility>

namespace llm::tokenizer {
namespace {

constexpr std::string_view kFamily = "phi";
constexpr char kNumber = '3';

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Where the family's name ends and its number stands; npos twice when they are not there.
std::pair<std::size_t, std::size_t> find_mark(std::string_view name) {
  for (std::size_t at = 0; at + kFamily.size() < name.size(); ++at) {
    std::size_t end = at;
    while (end < at + kFamily.size() && lower(name[end]) == kFamily[end - at]) ++end;
    if (end < at + kFamily.size()) continue;
    const std::size_t number = name.find_first_not_of("-_ ", end);
    if (number != std::string_view::npos && name[number] == kNumber) return {end, number};
  }
  return {std::string_view::npos, std::string_view::npos};
}

}  // namespace

bool special_keeps_space(std::string_view token_text) {
  return token_text == "<unk>" || token_text == "<s>" || token_text == "<|endoftext|>";
}

bool strips_after_special_by_name(std::string_view model_name) {
  return find_mark(model_name).first != std::string_view::npos;
}

std::string name_that_strips(std::string model_name, bool strips) {
  if (strips_after_special_by_name(model_name) == strips) return model_name;
  if (strips) return "phi-3 " + model_name;
  while (strips_after_special_by_name(model_name)) {
    const auto [end, number] = find_mark(model_name);
    model_name.replace(end, number - end, ".");
  }
  return model_name;
}

}  // namespace llm::tokenizer
