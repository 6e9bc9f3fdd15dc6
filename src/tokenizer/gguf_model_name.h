// In Phi-3's vocabulary control tokens swallow the white space behind them. GGUF has no key that
// says so; its readers take it from the name of the model (general.name), ours from its
// architecture as well.
#pragma once

#include <string>
#include <string_view>

namespace llm::tokenizer {

/// The exceptions: special tokens of that vocabulary that keep the white space behind them.
bool special_keeps_space(std::string_view token_text);

/// Whether the name says so: it has "phi-3" in it, in either case, with any or no hyphen, space or
/// underscore between.
bool strips_after_special_by_name(std::string_view model_name);

/// The name, changed where it must be to say so, or not to.
std::string name_that_strips(std::string model_name, bool strips);

}  // namespace llm::tokenizer
