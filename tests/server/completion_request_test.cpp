// The bodies of the OpenAI API against their schema tables, without a network.
#include "server/completion_request.h"

#include <gtest/gtest.h>

#include "core/json.h"

namespace llm::server {
namespace {

using core::Json;

class Completions : public ::testing::Test {
 protected:
  Completions() {
    model_.name = "m";
    model_.max_sequences = 2;
    model_.capabilities.vocab_size = 300;
    model_.capabilities.supported_dtypes = {DType::f32, DType::bf16};
  }

  ParsedCompletion parse(CompletionKind kind, std::string_view body, bool strict = false) {
    auto parsed =
        parse_completion(kind, body, {.model = model_, .limits = {}, .chat = {}, .strict = strict});
    EXPECT_TRUE(parsed.has_value()) << parsed.error().message();
    return std::move(parsed).value();
  }
  ParsedCompletion chat(std::string_view members, bool strict = false) {
    return parse(CompletionKind::chat,
                 R"({"messages":[{"role":"user","content":"x"}])" + std::string(members) + "}",
                 strict);
  }
  ParsedCompletion text(std::string_view members) {
    return parse(CompletionKind::text, "{" + std::string(members) + "}");
  }
  // The message of the only error, or what there is instead.
  static std::string only_error(const ParsedCompletion& parsed) {
    if (parsed.errors.size() == 1) return parsed.errors[0].message;
    std::string all = std::to_string(parsed.errors.size()) + " errors";
    for (const FieldError& error : parsed.errors) all += "; " + error.message;
    return all;
  }

  ModelInfo model_;
};

TEST_F(Completions, EveryChatFieldReachesTheRequest) {
  const ParsedCompletion parsed = chat(
      R"(,"model":"m","max_completion_tokens":7,"max_tokens":9,"temperature":0.5,"top_p":0.25,)"
      R"("top_k":3,"min_p":0.125,"presence_penalty":1.5,"frequency_penalty":-1.5,)"
      R"("repetition_penalty":1.25,"repeat_last_n":5,"seed":18446744073709551615,"stop":"a",)"
      R"("logit_bias":{"5":-100},"n":3,"logprobs":true,"top_logprobs":4,"stream":true,)"
      R"("stream_options":{"include_usage":true},"chat_template_kwargs":{"k":1},"user":"u",)"
      R"("tools":[{"type":"function"}],"tool_choice":"auto","ignore_eos":true,"min_tokens":2,)"
      R"("response_format":{"type":"text"},"modalities":["text"],"parallel_tool_calls":true)");
  EXPECT_TRUE(parsed.errors.empty()) << only_error(parsed);
  const CompletionRequest& request = parsed.request;
  const GenerationRequest& generation = request.generation;
  const SamplingParams& sampling = generation.sampling;
  EXPECT_EQ(request.model, "m");
  EXPECT_EQ(generation.max_tokens, 7) << "max_completion_tokens wins";
  EXPECT_EQ(sampling.temperature, 0.5F);
  EXPECT_EQ(sampling.top_p, 0.25F);
  EXPECT_EQ(sampling.top_k, 3);
  EXPECT_EQ(sampling.min_p, 0.125F);
  EXPECT_EQ(sampling.presence_penalty, 1.5F);
  EXPECT_EQ(sampling.frequency_penalty, -1.5F);
  EXPECT_EQ(sampling.repetition_penalty, 1.25F);
  EXPECT_EQ(sampling.repeat_last_n, 5);
  EXPECT_EQ(sampling.seed, 18446744073709551615U);
  EXPECT_EQ(generation.stop, std::vector<std::string>{"a"});
  ASSERT_EQ(sampling.logit_bias.size(), 1U);
  EXPECT_EQ(request.choices, 3);
  EXPECT_TRUE(request.logprobs);
  EXPECT_EQ(request.alternatives, 4);
  EXPECT_TRUE(request.stream);
  EXPECT_TRUE(request.include_usage);
  EXPECT_EQ(request.chat.template_kwargs, R"({"k":1})");
  EXPECT_EQ(request.chat.tools, R"([{"type":"function"}])");
  EXPECT_TRUE(request.chat.add_generation_prompt);
  EXPECT_EQ(generation.client, "u");
  EXPECT_TRUE(generation.ignore_eos);
  EXPECT_EQ(generation.min_tokens, 2);
  EXPECT_TRUE(request.ignored.empty());
}

TEST_F(Completions, NullMeansTheDefault) {
  const ParsedCompletion parsed = chat(
      R"(,"max_tokens":null,"temperature":null,"n":null,"stop":null,"seed":null,"stream":null,)"
      R"("logprobs":null,"top_logprobs":null,"stream_options":null,"response_format":null,)"
      R"("tools":null,"audio":null,"functions":null,"logit_bias":null,"user":null)");
  EXPECT_TRUE(parsed.errors.empty()) << only_error(parsed);
  EXPECT_EQ(parsed.request.generation.max_tokens, std::nullopt);
  EXPECT_EQ(parsed.request.generation.sampling.temperature, 1.0F);
  EXPECT_EQ(parsed.request.choices, 1);
  EXPECT_FALSE(parsed.request.stream);
}

TEST_F(Completions, OlderAndOtherNamesAreHonoured) {
  EXPECT_EQ(chat(R"(,"max_tokens":9)").request.generation.max_tokens, 9);
  EXPECT_EQ(chat(R"(,"repeat_penalty":1.5)").request.generation.sampling.repetition_penalty, 1.5F);
  EXPECT_EQ(chat(R"(,"seed":-1)").request.generation.sampling.seed, std::nullopt);
  EXPECT_NE(only_error(chat(R"(,"seed":-2)")).find("seed must be an integer from 0"),
            std::string::npos);
}

TEST_F(Completions, WhatCannotBeHonouredIsRefusedByName) {
  const std::vector<std::pair<std::string, std::string>> refused = {
      {R"(,"response_format":{"type":"json_object"})", "response_format cannot be honoured"},
      {R"(,"modalities":["text","audio"])", "modalities cannot be honoured"},
      {R"(,"audio":{})", "audio cannot be honoured"},
      {R"(,"functions":[])", "functions cannot be honoured"},
      {R"(,"function_call":"auto")", "function_call cannot be honoured"},
      {R"(,"tool_choice":"required")", "tool_choice must be auto or none"},
      {R"(,"parallel_tool_calls":false)", "parallel_tool_calls cannot be honoured"},
      {R"(,"top_logprobs":2)", "top_logprobs needs logprobs"},
      {R"(,"logprobs":true,"top_logprobs":21)", "top_logprobs must be at most 20"},
      {R"(,"stream_options":{"include_usage":true})", "stream_options needs stream"},
      {R"(,"stream":true,"stream_options":{"include_usage":1})", "must be a boolean"},
      {R"(,"n":0)", "n must be at least 1"},
      {R"(,"n":65)", "n must be at most 64"},
      {R"(,"temperature":2.5)", "temperature must be at most 2.0 (got 2.5)"},
      {R"(,"max_tokens":0)", "max_tokens must be at least 1"},
      {R"(,"max_completion_tokens":9999)", "max_completion_tokens must be at most 2048"},
      {R"(,"max_tokens":3,"min_tokens":4)", "min_tokens must be at most max_tokens"},
      {R"(,"dtype":"q9")", "Unsupported dtype: q9"},
      {R"(,"user":3)", "user must be a string"},
      {R"(,"stop":["a","b","c","d","e"])", "stop must have at most 4 entries"},
  };
  for (const auto& [members, message] : refused) {
    EXPECT_NE(only_error(chat(members)).find(message), std::string::npos)
        << members << ": " << only_error(chat(members));
  }
}

TEST_F(Completions, MoreChoicesThanPlacesAreRefusedNotRetriedForEver) {
  auto parsed =
      parse_completion(CompletionKind::text, R"({"prompt":["a","b"],"n":2})",
                       {.model = model_, .limits = {.max_queue = 1}, .chat = {}, .strict = false});
  ASSERT_EQ(parsed->errors.size(), 1U);
  EXPECT_EQ(parsed->errors[0].message, "4 choices are more than this worker takes at once, 3");
}

TEST_F(Completions, UnknownFieldsAreListedAndStrictRefusesThem) {
  const std::string members = R"(,"colour":1,"stream":true,"stream_options":{"speed":2})";
  EXPECT_EQ(chat(members).request.ignored,
            (std::vector<std::string>{"colour", "stream_options.speed"}));
  EXPECT_EQ(chat(members, true).errors.size(), 2U);
}

TEST_F(Completions, ToolChoiceNoneLeavesTheToolsOut) {
  EXPECT_EQ(chat(R"(,"tools":[{"a":1}],"tool_choice":"none")").request.chat.tools, "");
}

TEST_F(Completions, TheLastMessageCanBeContinued) {
  const CompletionRequest request = chat(R"(,"continue_final_message":true)").request;
  EXPECT_TRUE(request.chat.continue_final_message);
  EXPECT_FALSE(request.chat.add_generation_prompt);
}

TEST_F(Completions, PromptsAreTextIdsOrListsOfEither) {
  const auto prompts = [&](std::string_view prompt) {
    const ParsedCompletion parsed = text(R"("prompt":)" + std::string(prompt));
    EXPECT_TRUE(parsed.errors.empty()) << only_error(parsed);
    return parsed.request.prompts;
  };
  EXPECT_EQ(prompts(R"("a")")[0].text, "a");
  EXPECT_EQ(prompts("[1,2]")[0].tokens, (std::vector<std::int32_t>{1, 2}));
  EXPECT_EQ(prompts(R"(["a","b"])")[1].text, "b");
  EXPECT_EQ(prompts("[[1],[2,3]]")[1].tokens, (std::vector<std::int32_t>{2, 3}));
  const auto mixed = prompts(R"(["a",[2]])");
  EXPECT_FALSE(mixed[0].is_tokens);
  EXPECT_TRUE(mixed[1].is_tokens);
}

TEST_F(Completions, BadPromptsAreNamedAndNeverRepeated) {
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"[]", "prompt must be a string or a list of token ids, not empty (got an empty list)"},
      {"[[]]", "prompt[0] must be a string or a list of token ids"},
      {"3", "prompt must be a string"},
      {"[300]", "prompt[0] must be a token id from 0 to 299"},
      {"[1,-2]", "prompt[1] must be a token id"},
      {R"(["a",{}])", "prompt[1] must be a string"},
      {R"([[1],["secret"]])", "prompt[1][0] must be a token id"},
  };
  for (const auto& [prompt, message] : refused) {
    const ParsedCompletion parsed = text(R"("prompt":)" + prompt);
    EXPECT_EQ(only_error(parsed).find(message), 0U) << prompt << ": " << only_error(parsed);
    for (const FieldError& error : parsed.errors) {
      EXPECT_TRUE(error.value.is_null());
      EXPECT_EQ(error.message.find("secret"), std::string::npos);
    }
  }
  EXPECT_EQ(only_error(text("")), "prompt is required");
}

TEST_F(Completions, TextFieldsThatDependOnEachOther) {
  EXPECT_EQ(text(R"("prompt":"a")").request.generation.max_tokens, 16);
  EXPECT_TRUE(text(R"("prompt":"a","max_tokens":0,"echo":true)").errors.empty());
  EXPECT_EQ(only_error(text(R"("prompt":"a","max_tokens":0)")),
            "max_tokens must be at least 1 without echo");
  EXPECT_TRUE(text(R"("prompt":"a","best_of":2,"n":2)").errors.empty());
  EXPECT_EQ(only_error(text(R"("prompt":"a","best_of":2)")).find("best_of must be n, 1"), 0U);
  EXPECT_EQ(only_error(text(R"("prompt":"a","suffix":"b")")).find("suffix cannot be honoured"), 0U);
  const CompletionRequest request = text(R"("prompt":"a","logprobs":0)").request;
  EXPECT_TRUE(request.logprobs);
  EXPECT_EQ(request.alternatives, 0);
  EXPECT_FALSE(text(R"("prompt":"a","logprobs":null)").request.logprobs);
}

TEST_F(Completions, MessagesAreRequired) {
  EXPECT_EQ(only_error(parse(CompletionKind::chat, "{}")), "messages is required");
  EXPECT_EQ(only_error(parse(CompletionKind::chat, R"({"messages":[]})")),
            "messages must be a list of at least one message object");
}

}  // namespace
}  // namespace llm::server
