// What the program says of its API is complete: docs/api.md and the OpenAPI document are made of
// it.
#include "server/api_docs.h"

#include <gtest/gtest.h>

namespace llm::server {
namespace {

using core::Json;

TEST(ApiDocs, EveryRouteIsDescribedAndEveryBodyHasItsSchema) {
  const Json document = openapi_document("1.2.3");
  EXPECT_EQ(document["info"]["version"], "1.2.3");
  const Json& schemas = document["components"]["schemas"];
  std::size_t bodies = 0;
  for (const auto& [path, operations] : document["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      EXPECT_NE(operation["summary"], "") << method << " " << path;
      if (!operation.contains("requestBody")) continue;
      const std::string reference =
          operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
      const std::string prefix = "#/components/schemas/";
      EXPECT_TRUE(schemas.contains(reference.substr(prefix.size()))) << reference;
      ++bodies;
    }
  }
  EXPECT_EQ(bodies, 7U) << "jobs twice, chat, completions, three of the tokenizer";
  EXPECT_TRUE(document["paths"].contains("/v1/models/{id}"));
  EXPECT_FALSE(document["paths"].contains("/chat/completions")) << "an alias";
  EXPECT_EQ(document["paths"]["/health"]["get"]["security"], Json::array());
  EXPECT_FALSE(document["paths"]["/metrics"]["get"].contains("security")) << "needs the key";
}

TEST(ApiDocs, EveryFieldHasATypeThatJsonSchemaKnows) {
  const Json document = openapi_document("1");
  for (const auto& [name, schema] : document["components"]["schemas"].items()) {
    EXPECT_FALSE(schema["properties"].empty()) << name;
    for (const auto& [field, property] : schema["properties"].items()) {
      EXPECT_TRUE(property.contains("type") || property.contains("anyOf"))
          << name << "." << field << ": api_docs.cpp does not know this type";
    }
  }
}

TEST(ApiDocs, BoundsAndDefaultsAreThoseOfTheChecks) {
  const Json schemas = openapi_document("1")["components"]["schemas"];
  const Json chat = schemas["ChatCompletionRequest"];
  EXPECT_EQ(chat["required"], Json::array({"messages"}));
  const Json temperature = chat["properties"]["temperature"];
  EXPECT_EQ(temperature["minimum"], 0);
  EXPECT_EQ(temperature["maximum"], 2);
  EXPECT_EQ(temperature["default"], 1.0);
  EXPECT_EQ(chat["properties"]["repetition_penalty"]["exclusiveMinimum"], 0);
  EXPECT_FALSE(chat["properties"]["top_k"].contains("maximum"));
  EXPECT_EQ(schemas["JobRequest"]["required"], Json::array({"operation", "prompt"}));
}

}  // namespace
}  // namespace llm::server
