// Every case of tests/fixtures/chat/cases.jsonl, which jinja2 has rendered in Hugging Face's
// settings.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "chat/support.h"

namespace llm::chat {
namespace {

const std::string kFolder = LLM_SOURCE_DIR "/tests/fixtures/chat/";

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(TemplateFixtures, AreRenderedAsJinja2Does) {
  std::ifstream cases(kFolder + "cases.jsonl");
  std::string line;
  int count = 0;
  int texts = 0;
  while (std::getline(cases, line)) {
    ++count;
    const auto parsed = from_json(line, "case");
    ASSERT_TRUE(parsed.has_value()) << "line " << count << ": " << parsed.error().message();
    const Mapping& entry = parsed->as_mapping();
    const Value* source = entry.find("template");
    const std::string text = source != nullptr
                                 ? source->bytes()
                                 : read_file(kFolder + "templates/" + entry.find("file")->bytes());
    const Value* expected = entry.find("text");
    const auto compiled = Template::parse("case", text);
    const auto found = compiled ? compiled->render(entry.find("variables")->as_mapping(),
                                                   {.limits = {}, .clock = fixed_time})
                                : Result<std::string>(compiled.error());
    if (expected != nullptr) {
      ++texts;
      ASSERT_TRUE(found.has_value()) << "line " << count << ": " << found.error().message();
      EXPECT_EQ(*found, expected->bytes()) << "line " << count;
    } else {
      EXPECT_FALSE(found.has_value())
          << "line " << count << ": jinja2 says " << entry.find("error")->bytes();
    }
  }
  EXPECT_GT(count, 500);
  EXPECT_GT(texts, 300);
}

}  // namespace
}  // namespace llm::chat
