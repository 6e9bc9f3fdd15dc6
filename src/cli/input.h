// Text that a command takes from an option or, when that is absent, from standard input.
#pragma once

#include <optional>
#include <string>

#include "llm/status.h"

namespace llm::cli {

/// Standard input to its end, byte for byte.
Result<std::string> read_stdin();

/// `text`, or standard input when there is none.
Result<std::string> text_or_stdin(const std::optional<std::string>& text);

/// `text`, the content of `file`, or standard input when there is neither.
Result<std::string> text_file_or_stdin(const std::optional<std::string>& text,
                                       const std::optional<std::string>& file);

}  // namespace llm::cli
