// The schema of a job: every row's range, defaults and error texts, without a network.
#include "server/job_request.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace llm::server {
namespace {

using core::Json;

ModelInfo model_of(DType dtype, std::vector<DType> supported) {
  ModelInfo info;
  info.name = "m";
  info.capabilities.dtype = dtype;
  info.capabilities.supported_dtypes = std::move(supported);
  info.capabilities.vocab_size = 512;
  return info;
}

const ModelInfo kModel = model_of(DType::f32, {DType::f32, DType::f16, DType::bf16});

ParsedJob parse(const std::string& members, JobContext context = {.model = kModel, .limits = {}}) {
  auto parsed = parse_job(fmt::format(R"({{"operation":"infer","prompt":"p"{}{}}})",
                                      members.empty() ? "" : ",", members),
                          context);
  EXPECT_TRUE(parsed.has_value()) << parsed.status().message();
  return parsed.has_value() ? std::move(parsed).value() : ParsedJob{};
}

// The only error of a body, or a description of what there was instead.
FieldError only_error(const std::string& members,
                      JobContext context = {.model = kModel, .limits = {}}) {
  const ParsedJob parsed = parse(members, context);
  if (parsed.errors.size() == 1) return parsed.errors[0];
  return {"", "", fmt::format("{} errors", parsed.errors.size()), nullptr};
}

struct Refused {
  std::string members, field, constraint, message;
};

class RefusedField : public ::testing::TestWithParam<Refused> {};

TEST_P(RefusedField, NamesFieldConstraintAndReason) {
  const FieldError error = only_error(GetParam().members);
  EXPECT_EQ(error.field, GetParam().field);
  EXPECT_EQ(error.constraint, GetParam().constraint);
  EXPECT_EQ(error.message, GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, RefusedField,
    ::testing::Values(
        Refused{"\"max_tokens\":0", "max_tokens", "range(1..=2048)",
                "max_tokens must be at least 1 (got 0)"},
        Refused{"\"max_tokens\":2049", "max_tokens", "range(1..=2048)",
                "max_tokens must be at most 2048 (got 2049)"},
        Refused{"\"max_tokens\":18446744073709551615", "max_tokens", "range(1..=2048)",
                "max_tokens must be at most 2048 (got 18446744073709551615)"},
        Refused{"\"max_tokens\":-9223372036854775808", "max_tokens", "range(1..=2048)",
                "max_tokens must be at least 1 (got -9223372036854775808)"},
        Refused{"\"max_tokens\":5.5", "max_tokens", "type(integer)",
                "max_tokens must be an integer (got 5.5)"},
        Refused{"\"max_tokens\":\"5\"", "max_tokens", "type(integer)",
                "max_tokens must be an integer (got a string)"},
        Refused{"\"temperature\":2.5", "temperature", "range(0.0..=2.0)",
                "temperature must be at most 2.0 (got 2.5)"},
        Refused{"\"temperature\":-0.1", "temperature", "range(0.0..=2.0)",
                "temperature must be at least 0.0 (got -0.1)"},
        Refused{"\"temperature\":true", "temperature", "type(float)",
                "temperature must be a float (got a boolean)"},
        Refused{"\"top_p\":1.01", "top_p", "range(0.0..=1.0)",
                "top_p must be at most 1.0 (got 1.01)"},
        Refused{"\"top_k\":-1", "top_k", "range(0..)", "top_k must be at least 0 (got -1)"},
        Refused{"\"min_p\":-1", "min_p", "range(0.0..=1.0)", "min_p must be at least 0.0 (got -1)"},
        Refused{"\"repetition_penalty\":0", "repetition_penalty", "range(0.0<..=2.0)",
                "repetition_penalty must be greater than 0.0 (got 0)"},
        Refused{"\"repetition_penalty\":1e-60", "repetition_penalty", "range(0.0<..=2.0)",
                "repetition_penalty must be greater than 0.0 (got 1e-60)"},
        Refused{"\"repetition_penalty\":2.1", "repetition_penalty", "range(0.0<..=2.0)",
                "repetition_penalty must be at most 2.0 (got 2.1)"},
        Refused{"\"repeat_last_n\":-1", "repeat_last_n", "range(0..)",
                "repeat_last_n must be at least 0 (got -1)"},
        Refused{"\"presence_penalty\":-2.5", "presence_penalty", "range(-2.0..=2.0)",
                "presence_penalty must be at least -2.0 (got -2.5)"},
        Refused{"\"frequency_penalty\":3", "frequency_penalty", "range(-2.0..=2.0)",
                "frequency_penalty must be at most 2.0 (got 3)"},
        Refused{"\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\"]", "stop",
                "length(0..=4), each 1..=100 bytes", "stop must have at most 4 entries (got 5)"},
        Refused{"\"stop\":[\"a\",\"\"]", "stop", "length(0..=4), each 1..=100 bytes",
                "stop[1] must have 1 to 100 bytes (got 0)"},
        Refused{fmt::format("\"stop\":\"{:s>101}\"", ""), "stop",
                "length(0..=4), each 1..=100 bytes", "stop[0] must have 1 to 100 bytes (got 101)"},
        Refused{"\"stop\":[1]", "stop", "type(string or list of strings)",
                "stop must be a string or list of strings (got an array)"},
        Refused{"\"seed\":-1", "seed", "range(0..=18446744073709551615)",
                "seed must be an integer from 0 to 18446744073709551615 (got -1)"},
        Refused{"\"seed\":\"1\"", "seed", "type(integer)",
                "seed must be an integer (got a string)"},
        Refused{"\"logprobs\":21", "logprobs", "range(0..=20)",
                "logprobs must be at most 20 (got 21)"},
        Refused{"\"logit_bias\":{\"512\":1}", "logit_bias",
                "range(-100.0..=100.0) per token id of the vocabulary",
                "logit_bias: each key must be a token id from 0 to 511 (got \"512\")"},
        Refused{"\"logit_bias\":{\"01\":1}", "logit_bias",
                "range(-100.0..=100.0) per token id of the vocabulary",
                "logit_bias: each key must be a token id from 0 to 511 (got \"01\")"},
        Refused{"\"logit_bias\":{\"5\":101}", "logit_bias[5]", "range(-100.0..=100.0)",
                "logit_bias[5] must be at most 100.0 (got 101)"},
        Refused{"\"dtype\":\"int4\"", "dtype", "one_of(f32, f16, bf16)", "Unsupported dtype: int4"},
        Refused{"\"dtype\":\"q8_0\"", "dtype", "one_of(f32, f16, bf16)", "Unsupported dtype: q8_0"},
        Refused{"\"stream\":1", "stream", "type(boolean)", "stream must be a boolean (got 1)"},
        Refused{"\"model\":7", "model", "type(string)", "model must be a string (got 7)"},
        Refused{"\"device\":[]", "device", "type(string or integer)",
                "device must be a string or integer (got an array)"}),
    [](const auto& row) { return fmt::format("row_{}", row.index); });

TEST(JobRequest, KeepsEveryFieldThatItAccepts) {
  const ParsedJob parsed = parse(
      R"("max_tokens":2048,"temperature":0,"top_p":0.5,"top_k":7,"min_p":0.25,)"
      R"("repetition_penalty":1.5,"repeat_last_n":0,"presence_penalty":-2,"frequency_penalty":2,)"
      R"("stop":["a","bc"],"seed":18446744073709551615,"logprobs":20,"logit_bias":{"0":-100,"511":0.5},)"
      R"("dtype":"f32","model":"m","hive_id":"h","worker_id":"w","device":0,"stream":false)");
  ASSERT_TRUE(parsed.errors.empty()) << parsed.errors[0].message;
  const GenerationRequest& request = parsed.request.generation;
  EXPECT_EQ(request.prompt, "p");
  EXPECT_EQ(request.max_tokens, 2048);
  EXPECT_EQ(request.sampling.temperature, 0);
  EXPECT_EQ(request.sampling.top_p, 0.5F);
  EXPECT_EQ(request.sampling.top_k, 7);
  EXPECT_EQ(request.sampling.min_p, 0.25F);
  EXPECT_EQ(request.sampling.repetition_penalty, 1.5F);
  EXPECT_EQ(request.sampling.repeat_last_n, 0);
  EXPECT_EQ(request.sampling.presence_penalty, -2);
  EXPECT_EQ(request.sampling.frequency_penalty, 2);
  EXPECT_EQ(request.stop, (std::vector<std::string>{"a", "bc"}));
  EXPECT_EQ(request.sampling.seed, 18446744073709551615U);
  EXPECT_EQ(request.logprobs, 20);
  const std::vector<std::pair<std::int32_t, float>> bias = {{0, -100.0F}, {511, 0.5F}};
  EXPECT_EQ(request.sampling.logit_bias, bias);
  EXPECT_EQ(parsed.request.model, "m");
  EXPECT_TRUE(parsed.request.ignored.empty());
}

TEST(JobRequest, NullMeansTheDefault) {
  const ParsedJob parsed =
      parse(R"("temperature":null,"max_tokens":null,"seed":null,"stop":null,"messages":null)");
  EXPECT_TRUE(parsed.errors.empty());
  EXPECT_EQ(parsed.request.generation.sampling.temperature, 1.0F);
  EXPECT_FALSE(parsed.request.generation.max_tokens.has_value());
}

TEST(JobRequest, AHugeTopKKeepsEverything) {
  const ParsedJob parsed = parse("\"top_k\":9223372036854775807");
  EXPECT_TRUE(parsed.errors.empty());
  EXPECT_EQ(parsed.request.generation.sampling.top_k, 2147483647);
}

TEST(JobRequest, ReportsAllBadFieldsAtOnce) {
  const ParsedJob parsed = parse("\"temperature\":9,\"top_p\":9,\"logprobs\":99");
  EXPECT_EQ(parsed.errors.size(), 3U);
}

TEST(JobRequest, PromptIsTextOrIdsAndItsValueIsNeverRepeated) {
  const JobContext context{.model = kModel,
                           .limits = {.max_prompt_chars = 3, .max_tokens_limit = 9}};
  const auto error_of = [&](const std::string& prompt) {
    const auto parsed =
        parse_job(fmt::format(R"({{"operation":"infer","prompt":{}}})", prompt), context);
    EXPECT_TRUE(parsed.has_value());
    return parsed->errors.size() == 1 ? parsed->errors[0] : FieldError{};
  };
  EXPECT_EQ(error_of("\"\"").message, "prompt must not be empty");
  EXPECT_EQ(error_of("[]").message, "prompt must not be empty");
  EXPECT_EQ(error_of("\"abcd\"").message, "prompt must have at most 3 characters (got 4)");
  EXPECT_EQ(error_of("\"abcd\"").constraint, "length(1..=3)");
  EXPECT_TRUE(error_of("\"abcd\"").value.is_null());
  EXPECT_EQ(error_of("[1,2,3,4]").message, "prompt must have at most 3 token ids (got 4)");
  EXPECT_EQ(error_of("[1,512]").message, "prompt[1] must be a token id from 0 to 511");
  EXPECT_EQ(error_of("[1,-1]").message, "prompt[1] must be a token id from 0 to 511");
  EXPECT_EQ(error_of("[1.0]").message, "prompt[0] must be a token id from 0 to 511");
  EXPECT_EQ(error_of("123456").message,
            "prompt must be a string or a list of token ids (got number)");
  EXPECT_TRUE(error_of("123456").value.is_null());

  const auto characters = parse_job(R"({"operation":"infer","prompt":"äöü"})", context);
  EXPECT_TRUE(characters->errors.empty()) << "three characters in six bytes";
  const auto ids = parse_job(R"({"operation":"infer","prompt":[0,511]})", context);
  EXPECT_TRUE(ids->errors.empty());
  EXPECT_EQ(ids->request.generation.prompt_tokens, (std::vector<std::int32_t>{0, 511}));
}

TEST(JobRequest, OperationIsRequiredExceptOnTheDeprecatedRoute) {
  JobContext context{.model = kModel, .limits = {}};
  auto parsed = parse_job(R"({"prompt":"p"})", context);
  ASSERT_EQ(parsed->errors.size(), 1U);
  EXPECT_EQ(parsed->errors[0].message, "operation is required (known: infer)");
  context.operation_required = false;
  EXPECT_TRUE(parse_job(R"({"prompt":"p"})", context)->errors.empty());
  parsed = parse_job(R"({"prompt":"p","operation":"embed"})", context);
  ASSERT_EQ(parsed->errors.size(), 1U);
  EXPECT_EQ(parsed->errors[0].message, "operation must be one of: infer (got \"embed\")");
}

TEST(JobRequest, NeedsExactlyOneOfPromptAndMessages) {
  const JobContext chat{.model = kModel, .limits = {}, .chat = {}};
  EXPECT_EQ(parse_job(R"({"operation":"infer"})", chat)->errors[0].message, "prompt is required");
  const auto both = parse_job(
      R"({"operation":"infer","prompt":"p","messages":[{"role":"user","content":"x"}]})", chat);
  EXPECT_EQ(both->errors[0].message, "messages and prompt cannot both be given");
  const auto one =
      parse_job(R"({"operation":"infer","messages":[{"role":"user","content":"x"}]})", chat);
  EXPECT_TRUE(one->errors.empty());
  EXPECT_EQ(one->request.chat.messages, R"([{"role":"user","content":"x"}])");
  EXPECT_EQ(parse_job(R"({"operation":"infer","messages":[]})", chat)->errors.size(), 1U);
  EXPECT_EQ(parse_job(R"({"operation":"infer","messages":["x"]})", chat)->errors.size(), 1U);
}

TEST(JobRequest, MessagesNeedAChatTemplate) {
  const auto parsed =
      parse_job(R"({"operation":"infer","messages":[{"role":"user","content":"x"}]})",
                {.model = kModel,
                 .limits = {},
                 .chat = {StatusCode::not_found, "the model has no chat template"}});
  ASSERT_EQ(parsed->errors.size(), 1U);
  EXPECT_NE(parsed->errors[0].message.find("no chat template"), std::string::npos);
}

TEST(JobRequest, DtypesThatTheModelLacksAreToldFromThoseNotLoaded) {
  const ModelInfo gguf = model_of(DType::q4_k, {DType::q4_k});
  const JobContext context{.model = gguf, .limits = {}};
  EXPECT_EQ(only_error("\"dtype\":\"bf16\"", context).message,
            "dtype bf16 is not supported by this model (supported: q4_k)");
  EXPECT_TRUE(parse("\"dtype\":\"q4_k\"", context).errors.empty());
  EXPECT_EQ(parse("\"dtype\":\"bf16\"").request.generation.dtype, DType::bf16);
  EXPECT_FALSE(parse("\"dtype\":\"f32\"").request.generation.dtype.has_value());
}

TEST(JobRequest, UnknownFieldsAreListedOrRefusedWhenStrict) {
  EXPECT_EQ(parse("\"tempreature\":1,\"best_of\":2").request.ignored,
            (std::vector<std::string>{"best_of", "tempreature"}));
  const FieldError error =
      only_error("\"tempreature\":1", {.model = kModel, .limits = {}, .strict = true});
  EXPECT_EQ(error.field, "tempreature");
  EXPECT_EQ(error.constraint, "known_field");
}

TEST(JobRequest, TheNumberOfUnknownFieldsIsBounded) {
  std::string members;
  for (int n = 0; n < 100; ++n) {
    members += fmt::format("{}\"x{}\":1", n > 0 ? "," : "", n);
  }
  EXPECT_EQ(only_error(members).message, "the body has more than 64 unknown fields");
}

TEST(JobRequest, RefusesWhatIsNotOneJsonObject) {
  const JobContext context{.model = kModel, .limits = {}};
  for (const std::string body :
       {"", "[]", "1", "{", "{}{}", R"({"prompt":"p","prompt":"q"})", R"({"temperature":NaN})",
        R"({"temperature":Infinity})", R"({"temperature":1e999})", "{\"prompt\":\"\xFF\"}"}) {
    EXPECT_FALSE(parse_job(body, context).has_value()) << body;
  }
}

TEST(JobRequest, ASyntaxErrorDoesNotQuoteThePrompt) {
  const auto parsed = parse_job("{\"prompt\":\"top secret\x01\"}", {.model = kModel, .limits = {}});
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error().message().find("secret"), std::string::npos) << parsed.error().message();
}

}  // namespace
}  // namespace llm::server
