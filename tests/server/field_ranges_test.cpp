// The ranges of the wire contract, on every surface: both ends of each are accepted, the next value
// outside is refused with the range. The table is written down here once more, so that a changed
// row is noticed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "server/completion_request.h"
#include "server/job_request.h"

namespace llm::server {
namespace {

using core::Json;

enum class Surface : std::uint8_t { jobs, chat, text };
constexpr Surface kSurfaces[] = {Surface::jobs, Surface::chat, Surface::text};

std::string_view name_of(Surface surface) {
  return surface == Surface::jobs ? "jobs" : surface == Surface::chat ? "chat" : "text";
}

ModelInfo small_model() {
  ModelInfo model;
  model.max_sequences = 2;
  model.capabilities.vocab_size = 300;
  model.capabilities.supported_dtypes = {DType::f32, DType::f16, DType::bf16};
  return model;
}

const ModelInfo kModel = small_model();

struct Parsed {
  GenerationRequest generation;
  FieldErrors errors;
  std::vector<std::string> ignored;
};

Parsed parse(Surface surface, const std::string& members) {
  const std::string more = members.empty() ? "" : "," + members;
  if (surface == Surface::jobs) {
    auto parsed = parse_job(R"({"operation":"infer","prompt":"p")" + more + "}",
                            {.model = kModel, .limits = {}});
    EXPECT_TRUE(parsed.has_value()) << members;
    if (!parsed) return {};
    return {parsed->request.generation, parsed->errors, parsed->request.ignored};
  }
  const bool chat = surface == Surface::chat;
  const std::string begin =
      chat ? R"({"messages":[{"role":"user","content":"x"}])" : R"({"prompt":"p")";
  auto parsed = parse_completion(chat ? CompletionKind::chat : CompletionKind::text,
                                 begin + more + "}", {.model = kModel, .limits = {}, .chat = {}});
  EXPECT_TRUE(parsed.has_value()) << members;
  if (!parsed) return {};
  return {parsed->request.generation, parsed->errors, parsed->request.ignored};
}

std::string all_messages(const FieldErrors& errors) {
  std::string text;
  for (const FieldError& error : errors) text += error.message + "\n";
  return text;
}

std::string repeated(std::string_view text, int times) {
  std::string all;
  for (int n = 0; n < times; ++n) all += text;
  return all;
}

struct Row {
  std::string field;
  std::string constraint;
  std::vector<std::string> accepted;  // among them both ends
  std::vector<std::string> refused;   // the nearest outside
  std::vector<Surface> surfaces = {Surface::jobs, Surface::chat, Surface::text};
  std::string beside = {};  // further members that the field needs
};

const std::vector<Row> kRows = {
    {"max_tokens", "range(1..=2048)", {"1", "2048"}, {"0", "2049"}, {Surface::jobs, Surface::chat}},
    {"max_tokens", "range(0..=2048)", {"1", "2048"}, {"-1", "2049"}, {Surface::text}},
    {"max_completion_tokens", "range(1..=2048)", {"1", "2048"}, {"0", "2049"}, {Surface::chat}},
    {"temperature", "range(0.0..=2.0)", {"0", "0.0", "2", "2.0"}, {"-0.001", "2.001", "2.5"}},
    {"top_p", "range(0.0..=1.0)", {"0", "1"}, {"-0.001", "1.001"}},
    {"top_k", "range(0..)", {"0", "1", "9223372036854775807"}, {"-1"}},
    {"min_p", "range(0.0..=1.0)", {"0", "1"}, {"-0.001", "1.001"}},
    {"repetition_penalty", "range(0.0<..=2.0)", {"0.001", "2"}, {"0", "-0.001", "2.001"}},
    {"repeat_penalty",
     "range(0.0<..=2.0)",
     {"0.001", "2"},
     {"0", "2.001"},
     {Surface::chat, Surface::text}},
    {"repeat_last_n", "range(0..)", {"0", "9223372036854775807"}, {"-1"}},
    {"presence_penalty", "range(-2.0..=2.0)", {"-2", "2"}, {"-2.001", "2.001"}},
    {"frequency_penalty", "range(-2.0..=2.0)", {"-2", "2"}, {"-2.001", "2.001"}},
    {"seed",
     "range(0..=18446744073709551615)",
     {"0", "18446744073709551615"},
     {"-1", "18446744073709551616"},
     {Surface::jobs}},
    {"seed",
     "range(0..=18446744073709551615)",
     {"-1", "0", "18446744073709551615"},
     {"-2", "18446744073709551616"},
     {Surface::chat, Surface::text}},
    {"logprobs", "range(0..=20)", {"0", "20"}, {"-1", "21"}, {Surface::jobs, Surface::text}},
    {"top_logprobs",
     "range(0..=20)",
     {"0", "20"},
     {"-1", "21"},
     {Surface::chat},
     R"(,"logprobs":true)"},
    {"n", "range(1..=64)", {"1", "64"}, {"0", "65"}, {Surface::chat, Surface::text}},
    {"min_tokens", "range(0..=2048)", {"0", "2048"}, {"-1", "2049"}, {Surface::chat}},
    {"stop",
     "length(0..=4), each 1..=100 bytes",
     {"[]", R"("x")", R"(["a","b","c","d"])", fmt::format(R"(["{:x>100}"])", ""),
      "[\"" + repeated("é", 50) + "\"]"},
     {R"("")", R"(["a","b","c","d","e"])", fmt::format(R"(["{:x>101}"])", ""),
      "[\"" + repeated("é", 50) + "x\"]"}},
    {"logit_bias",
     "range(-100.0..=100.0) per token id of the vocabulary",
     {"{}", R"({"0":-100,"299":100})"},
     {R"({"300":1})", R"({"-1":1})", R"({"x":1})", R"({"":1})"}},
    {"dtype", "one_of(f32, f16, bf16)", {R"("f32")", R"("f16")", R"("bf16")"}, {R"("f64")"}},
};

TEST(FieldRanges, BothEndsAreAccepted) {
  for (const Row& row : kRows) {
    for (const Surface surface : row.surfaces) {
      for (const std::string& value : row.accepted) {
        const Parsed parsed =
            parse(surface, fmt::format("\"{}\":{}{}", row.field, value, row.beside));
        EXPECT_TRUE(parsed.errors.empty()) << name_of(surface) << " " << row.field << " " << value
                                           << ": " << all_messages(parsed.errors);
        EXPECT_TRUE(parsed.ignored.empty()) << name_of(surface) << " " << row.field;
      }
    }
  }
}

TEST(FieldRanges, TheNextValueOutsideIsRefusedWithTheRange) {
  for (const Row& row : kRows) {
    for (const Surface surface : row.surfaces) {
      for (const std::string& value : row.refused) {
        const std::string where = fmt::format("{} {} {}", name_of(surface), row.field, value);
        const Parsed parsed =
            parse(surface, fmt::format("\"{}\":{}{}", row.field, value, row.beside));
        ASSERT_EQ(parsed.errors.size(), 1U) << where << ": " << all_messages(parsed.errors);
        EXPECT_EQ(parsed.errors[0].field, row.field) << where;
        EXPECT_EQ(parsed.errors[0].constraint, row.constraint) << where;
        EXPECT_NE(parsed.errors[0].message, "") << where;
      }
    }
  }
}

TEST(FieldRanges, ABiasOutsideNamesItsToken) {
  for (const Surface surface : kSurfaces) {
    for (const std::string value : {"-100.5", "100.5"}) {
      const Parsed parsed = parse(surface, fmt::format(R"("logit_bias":{{"7":{}}})", value));
      ASSERT_EQ(parsed.errors.size(), 1U);
      EXPECT_EQ(parsed.errors[0].field, "logit_bias[7]");
      EXPECT_EQ(parsed.errors[0].constraint, "range(-100.0..=100.0)");
    }
  }
}

TEST(FieldRanges, TheMessageSaysTheBoundAndTheValue) {
  for (const Surface surface : kSurfaces) {
    const Parsed parsed = parse(surface, R"("temperature":2.5)");
    ASSERT_EQ(parsed.errors.size(), 1U);
    EXPECT_EQ(parsed.errors[0].message, "temperature must be at most 2.0 (got 2.5)");
    EXPECT_EQ(parsed.errors[0].value, 2.5);
  }
}

TEST(FieldRanges, AbsentFieldsHaveTheContractsDefaults) {
  for (const Surface surface : kSurfaces) {
    const GenerationRequest generation = parse(surface, "").generation;
    const SamplingParams& sampling = generation.sampling;
    EXPECT_EQ(sampling.temperature, 1.0F);
    EXPECT_EQ(sampling.top_p, 1.0F);
    EXPECT_EQ(sampling.top_k, 0);
    EXPECT_EQ(sampling.min_p, 0.0F);
    EXPECT_EQ(sampling.repetition_penalty, 1.0F);
    EXPECT_EQ(sampling.repeat_last_n, 128);
    EXPECT_EQ(sampling.presence_penalty, 0.0F);
    EXPECT_EQ(sampling.frequency_penalty, 0.0F);
    EXPECT_FALSE(sampling.seed.has_value());
    EXPECT_TRUE(sampling.logit_bias.empty());
    EXPECT_TRUE(generation.stop.empty());
    EXPECT_EQ(generation.logprobs, 0);
  }
}

// Every row of the tables, those of tomorrow too.
TEST(FieldRanges, NullIsTheDefaultOfEveryField) {
  const auto rows_of = [](Surface surface) {
    return surface == Surface::jobs   ? documented_job_fields()
           : surface == Surface::chat ? documented_completion_fields(CompletionKind::chat)
                                      : documented_completion_fields(CompletionKind::text);
  };
  for (const Surface surface : kSurfaces) {
    std::string members;
    int count = 0;
    for (const Field& row : rows_of(surface)) {
      if (row.default_value == "required") continue;
      members += fmt::format("{}\"{}\":null", members.empty() ? "" : ",", row.name);
      ++count;
    }
    EXPECT_GT(count, 15);
    const Parsed parsed = parse(surface, members);
    EXPECT_TRUE(parsed.errors.empty()) << all_messages(parsed.errors);
    EXPECT_TRUE(parsed.ignored.empty());
    const Parsed absent = parse(surface, "");
    EXPECT_EQ(parsed.generation.max_tokens, absent.generation.max_tokens);
    EXPECT_EQ(parsed.generation.sampling.temperature, 1.0F);
  }
}

TEST(FieldRanges, APromptOfAJobHas32768CharactersAtMost) {
  const auto errors_of = [](const std::string& prompt) {
    return parse_job(fmt::format(R"({{"operation":"infer","prompt":"{}"}})", prompt),
                     {.model = kModel, .limits = {}})
        ->errors;
  };
  EXPECT_TRUE(errors_of(std::string(32768, 'x')).empty());
  const FieldErrors refused = errors_of(std::string(32769, 'x'));
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(refused[0].message, "prompt must have at most 32768 characters (got 32769)");
  EXPECT_EQ(refused[0].constraint, "length(1..=32768)");
  EXPECT_TRUE(errors_of(repeated("ä", 32768)).empty()) << "characters count, not bytes";
}

}  // namespace
}  // namespace llm::server
