#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/check.h"
#include "server/chat_fields.h"
#include "server/job_request.h"

namespace {

llm::ModelInfo small_model() {
  llm::ModelInfo model;
  model.name = "m";
  model.capabilities.vocab_size = 300;
  model.capabilities.supported_dtypes = {llm::DType::f32, llm::DType::bf16};
  return model;
}

bool within(double value, double min, double max) { return value >= min && value <= max; }

// What an accepted request may hold, whatever the body was.
void check_accepted(const llm::server::JobRequest& request,
                    const llm::server::JobContext& context) {
  const llm::GenerationRequest& generation = request.generation;
  const llm::SamplingParams& sampling = generation.sampling;
  const bool chat = !request.chat.messages.empty();
  LLM_CHECK(chat || !generation.prompt.empty() || !generation.prompt_tokens.empty());
  LLM_CHECK(llm::server::count_characters(generation.prompt) <= context.limits.max_prompt_chars);
  for (const std::int32_t id : generation.prompt_tokens) LLM_CHECK(id >= 0 && id < 300);
  LLM_CHECK(!generation.max_tokens || within(static_cast<double>(*generation.max_tokens), 1, 2048));
  LLM_CHECK(within(sampling.temperature, 0, 2) && within(sampling.top_p, 0, 1));
  LLM_CHECK(within(sampling.min_p, 0, 1) && sampling.top_k >= 0 && sampling.repeat_last_n >= 0);
  LLM_CHECK(sampling.repetition_penalty > 0 && sampling.repetition_penalty <= 2);
  LLM_CHECK(within(sampling.presence_penalty, -2, 2) && within(sampling.frequency_penalty, -2, 2));
  LLM_CHECK(generation.stop.size() <= 4 && generation.logprobs >= 0 && generation.logprobs <= 20);
  for (const std::string& stop : generation.stop) LLM_CHECK(!stop.empty() && stop.size() <= 100);
  for (const auto& [id, bias] : sampling.logit_bias) {
    LLM_CHECK(id >= 0 && id < 300 && within(bias, -100, 100));
  }
}

}  // namespace

// The first byte chooses the circumstances, the rest is the body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const llm::ModelInfo kModel = small_model();
  static const llm::Status kNoChat(llm::StatusCode::not_found, "none");
  if (size == 0) return 0;
  const llm::server::JobContext context{.model = kModel,
                                        .limits = {.max_prompt_chars = 40},
                                        .chat = (data[0] & 1U) != 0 ? llm::Status() : kNoChat,
                                        .operation_required = (data[0] & 2U) != 0,
                                        .strict = (data[0] & 4U) != 0};
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto parsed = llm::server::parse_job(body, context);
  if (!parsed) {
    LLM_CHECK(parsed.error().message().starts_with("request body: "));
    LLM_CHECK(parsed.error().message().size() < 500);
    return 0;
  }
  const auto& [request, errors] = parsed.value();
  LLM_CHECK(request.ignored.size() <= llm::server::kMaxIgnoredFields);
  if (errors.empty()) {
    check_accepted(request, context);
    return 0;
  }
  const llm::server::HttpResponse refusal = llm::server::field_error_response(errors);
  LLM_CHECK(nlohmann::json::accept(refusal.body));
  LLM_CHECK(refusal.body.size() < 40000);
  return 0;
}
