// inspect_model: the description of a file that is then compared by programs.
#include "offline/inspect.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "offline/instruction_sets.h"

namespace llm::offline {
namespace {

const std::string kModels = std::string(LLM_SOURCE_DIR) + "/tests/fixtures/models/";

TEST(Inspect, SafetensorsDirectory) {
  const auto model = inspect_model(kModels + "llama-gqa");
  ASSERT_TRUE(model.has_value()) << model.status().message();
  EXPECT_EQ(model.value().format, "safetensors");
  EXPECT_EQ(model.value().architecture, "llama");
  ASSERT_EQ(model.value().files.size(), 1U);
  EXPECT_EQ(model.value().files[0].bytes,
            std::filesystem::file_size(kModels + "llama-gqa/model.safetensors"));
  std::size_t sum = 0;
  for (const TensorDescription& tensor : model.value().tensors) sum += tensor.bytes;
  EXPECT_EQ(model.value().tensor_bytes, sum);
}

TEST(Inspect, TheSameModelAsGgufHasTheSameShapes) {
  const auto hf = inspect_model(kModels + "llama-gqa");
  const auto gguf = inspect_model(kModels + "llama-gqa.gguf");
  ASSERT_TRUE(gguf.has_value()) << gguf.status().message();
  EXPECT_EQ(gguf.value().format, "gguf");
  EXPECT_EQ(gguf.value().architecture, "llama");
  const auto shape_of = [](const ModelDescription& model, std::string_view name) {
    for (const TensorDescription& tensor : model.tensors) {
      if (tensor.name == name) return tensor.shape.to_string();
    }
    return std::string("missing");
  };
  EXPECT_EQ(shape_of(hf.value(), "model.embed_tokens.weight"),
            shape_of(gguf.value(), "token_embd.weight"));
}

TEST(Inspect, ASplitModelListsEveryFile) {
  const auto model = inspect_model(kModels + "llama-gqa-split-00002-of-00002.gguf");
  ASSERT_TRUE(model.has_value()) << model.status().message();
  EXPECT_EQ(model.value().files.size(), 2U);
}

TEST(Inspect, WhatIsNoModelIsAnError) {
  EXPECT_EQ(inspect_model("/nonexistent").status().code(), StatusCode::not_found);
  EXPECT_FALSE(inspect_model(std::string(LLM_SOURCE_DIR) + "/LICENSE").has_value());
}

TEST(InstructionSets, TheChosenOneIsTheBestOrTheForcedOne) {
  const auto best = find_instruction_sets("");
  ASSERT_TRUE(best.has_value());
  EXPECT_EQ(best.value().chosen, best.value().available.front());
  EXPECT_EQ(best.value().available.back(), "ref");
  for (const std::string& name : best.value().available) {
    EXPECT_EQ(find_instruction_sets(name).value().chosen, name);
  }
  const auto unknown = find_instruction_sets("avx3");
  ASSERT_FALSE(unknown.has_value());
  for (const std::string& name : best.value().built) {
    EXPECT_NE(unknown.status().message().find(name), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace llm::offline
