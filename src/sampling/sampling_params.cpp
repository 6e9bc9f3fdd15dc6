#include <cmath>
#include <string_view>

#include "core/error.h"
#include "llm/sampling.h"

namespace llm {
namespace {

using core::invalid_argument;

Status check_range(std::string_view name, float value, float lowest, float highest) {
  if (!std::isfinite(value)) {
    return invalid_argument("{} must be a finite number (got {})", name, value);
  }
  if (value < lowest)
    return invalid_argument("{} must be at least {:.1f} (got {})", name, lowest, value);
  if (value > highest)
    return invalid_argument("{} must be at most {:.1f} (got {})", name, highest, value);
  return {};
}

Status check_not_negative(std::string_view name, std::int32_t value) {
  if (value < 0) return invalid_argument("{} must be at least 0 (got {})", name, value);
  return {};
}

}  // namespace

Status SamplingParams::validate() const {
  LLM_RETURN_IF_ERROR(check_range("temperature", temperature, 0.0F, 2.0F));
  LLM_RETURN_IF_ERROR(check_not_negative("top_k", top_k));
  LLM_RETURN_IF_ERROR(check_range("top_p", top_p, 0.0F, 1.0F));
  LLM_RETURN_IF_ERROR(check_range("min_p", min_p, 0.0F, 1.0F));
  LLM_RETURN_IF_ERROR(check_range("repetition_penalty", repetition_penalty, 0.0F, 2.0F));
  if (repetition_penalty == 0.0F) {
    return invalid_argument("repetition_penalty must be greater than 0.0 (got 0)");
  }
  LLM_RETURN_IF_ERROR(check_not_negative("repeat_last_n", repeat_last_n));
  LLM_RETURN_IF_ERROR(check_range("presence_penalty", presence_penalty, -2.0F, 2.0F));
  LLM_RETURN_IF_ERROR(check_range("frequency_penalty", frequency_penalty, -2.0F, 2.0F));
  for (const auto& [id, bias] : logit_bias) {
    if (id < 0) return invalid_argument("logit_bias token id must be at least 0 (got {})", id);
    LLM_RETURN_IF_ERROR(
        check_range(fmt::format("logit_bias of token {}", id), bias, -100.0F, 100.0F));
  }
  return {};
}

}  // namespace llm
