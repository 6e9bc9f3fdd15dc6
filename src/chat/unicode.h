// What Python's str methods know of characters: case mappings, classes, white space. Text is valid
// UTF-8. The general categories are utf8proc's; docs/chat-templates.md says of which Unicode
// version.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace llm::chat {

bool is_space(char32_t c);      ///< str.isspace, and what strip() and split() take for white space
bool is_line_end(char32_t c);   ///< where splitlines() splits
bool is_printable(char32_t c);  ///< what repr() does not escape
bool is_alphabetic(char32_t c);
bool is_decimal(char32_t c);
bool is_digit(char32_t c);
bool is_numeric(char32_t c);
bool is_alphanumeric(char32_t c);
bool is_lowercase(char32_t c);
bool is_uppercase(char32_t c);
bool is_titlecase(char32_t c);
bool may_start_identifier(char32_t c);
bool may_continue_identifier(char32_t c);

std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string to_title(std::string_view text);  ///< str.title
std::string capitalize(std::string_view text);
std::string swap_case(std::string_view text);
std::string fold_case(std::string_view text);

/// The code points of a text, and back.
std::vector<char32_t> code_points(std::string_view text);
std::string from_code_points(const std::vector<char32_t>& points);
/// Byte position of the code point `index`, at most the size of the text.
std::size_t byte_offset(std::string_view text, std::size_t index);

/// Without white space at the front, at the back.
std::string_view strip_left(std::string_view text);
std::string_view strip_right(std::string_view text);

}  // namespace llm::chat
