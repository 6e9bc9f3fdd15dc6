#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "server/completion_request.h"

namespace {

using llm::server::CompletionKind;
using llm::server::CompletionRequest;

llm::ModelInfo small_model() {
  llm::ModelInfo model;
  model.name = "m";
  model.max_sequences = 4;
  model.capabilities.vocab_size = 300;
  model.capabilities.supported_dtypes = {llm::DType::f32, llm::DType::bf16};
  return model;
}

// What an accepted request may hold, whatever the body was.
void check_accepted(CompletionKind kind, const CompletionRequest& request) {
  const llm::GenerationRequest& generation = request.generation;
  const bool chat = kind == CompletionKind::chat;
  LLM_CHECK(chat ? !request.chat.messages.empty() : !request.prompts.empty());
  for (const auto& prompt : request.prompts) {
    LLM_CHECK(!prompt.is_tokens || !prompt.tokens.empty());
    for (const std::int32_t id : prompt.tokens) LLM_CHECK(id >= 0 && id < 300);
  }
  LLM_CHECK(request.choices >= 1 && request.choices <= 64 && request.prompts.size() <= 64);
  LLM_CHECK(request.alternatives >= 0 && request.alternatives <= 20);
  LLM_CHECK(request.logprobs || request.alternatives == 0);
  LLM_CHECK(request.stream || !request.include_usage);
  const std::int64_t max_tokens = generation.max_tokens.value_or(1);
  LLM_CHECK(max_tokens <= 2048 && (max_tokens >= 1 || (max_tokens == 0 && request.echo)));
  LLM_CHECK(generation.min_tokens >= 0);
  LLM_CHECK(!generation.max_tokens || generation.min_tokens <= *generation.max_tokens);
  LLM_CHECK(generation.sampling.validate().ok());
  LLM_CHECK(generation.stop.size() <= 4);
}

}  // namespace

// The first byte chooses the kind and the circumstances, the rest is the body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const llm::ModelInfo kModel = small_model();
  static const llm::Status kNoChat(llm::StatusCode::not_found, "none");
  if (size == 0) return 0;
  const CompletionKind kind = (data[0] & 2U) != 0 ? CompletionKind::text : CompletionKind::chat;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto parsed =
      llm::server::parse_completion(kind, body,
                                    {.model = kModel,
                                     .limits = {},
                                     .chat = (data[0] & 1U) != 0 ? llm::Status() : kNoChat,
                                     .strict = (data[0] & 4U) != 0});
  if (!parsed) {
    LLM_CHECK(parsed.error().message().starts_with("request body: "));
    LLM_CHECK(parsed.error().message().size() < 500);
    return 0;
  }
  const auto& [request, errors] = parsed.value();
  LLM_CHECK(request.ignored.size() <= llm::server::kMaxIgnoredFields);
  if (errors.empty()) {
    check_accepted(kind, request);
    return 0;
  }
  const llm::server::HttpResponse refusal = llm::server::field_error_response(errors);
  const std::string body_text = llm::server::to_text(llm::server::openai_error(*refusal.problem));
  LLM_CHECK(nlohmann::json::accept(body_text));
  LLM_CHECK(body_text.size() < 40000);
  return 0;
}
