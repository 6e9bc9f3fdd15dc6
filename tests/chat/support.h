// Rendering in tests.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "chat/fixed_time.h"
#include "chat/json_text.h"
#include "chat/template.h"

namespace llm::chat {

/// `variables`: a JSON object.
inline Result<std::string> render(std::string_view source, std::string_view variables = "{}",
                                  const RenderLimits& limits = {}) {
  LLM_ASSIGN_OR_RETURN(const Value given, from_json(variables, "variables"));
  LLM_ASSIGN_OR_RETURN(const Template parsed, Template::parse("test.jinja", source));
  return parsed.render(given.as_mapping(), {.limits = limits, .clock = fixed_time});
}

inline std::string rendered(std::string_view source, std::string_view variables = "{}") {
  const auto text = render(source, variables);
  EXPECT_TRUE(text.has_value()) << source << ": " << text.error().message();
  return text ? *text : "";
}

inline std::string error_of(std::string_view source, std::string_view variables = "{}",
                            const RenderLimits& limits = {}) {
  const auto text = render(source, variables, limits);
  EXPECT_FALSE(text.has_value()) << source << ": " << (text ? *text : "");
  return text ? "" : text.error().message();
}

}  // namespace llm::chat
