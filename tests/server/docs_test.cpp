// docs/api.md contains the tables that the program works from. With LLM_UPDATE_DOCS=1 in the
// environment they are written into the page instead.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "server/api_error.h"
#include "server/job_request.h"

namespace llm::server {
namespace {

std::string error_table() {
  std::string out = "| code | status | meaning |\n|---|---|---|\n";
  for (const ApiErrorInfo& error : api_errors()) {
    out += fmt::format("| `{}` | {} | {} |\n", error.code, error.status, error.meaning);
  }
  return out;
}

void expect_in_docs(const std::string& name, const std::string& table) {
  const std::string path = LLM_SOURCE_DIR "/docs/api.md";
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  std::string page = text.str();
  const std::string begin = fmt::format("<!-- {}:begin -->\n", name);
  const std::size_t from = page.find(begin);
  const std::size_t to = page.find(fmt::format("<!-- {}:end -->", name));
  ASSERT_TRUE(from != std::string::npos && to != std::string::npos && from < to) << name;
  const std::size_t at = from + begin.size();
  if (std::getenv("LLM_UPDATE_DOCS") != nullptr) {
    page.replace(at, to - at, table);
    std::ofstream(path) << page;
    return;
  }
  EXPECT_EQ(page.substr(at, to - at), table) << "run with LLM_UPDATE_DOCS=1 to write it";
}

TEST(ApiDocs, TheJobFieldsAreTheSchema) { expect_in_docs("job-fields", job_fields_markdown()); }

TEST(ApiDocs, TheErrorsAreTheTable) { expect_in_docs("errors", error_table()); }

}  // namespace
}  // namespace llm::server
