// Passes over one row of logits. No state; any thread.
#pragma once

#include <span>

#include "llm/status.h"

namespace llm::sampling {

/// ok, or an error that names the first logit that is NaN or +infinity.
Status check_logits(std::span<const float> logits);

/// Highest value; -infinity for an empty row. No NaN.
float highest_value(std::span<const float> values);

}  // namespace llm::sampling
