// api: the HTTP API as the program's own tables describe it.
#include <fmt/format.h>

#include "cli/command.h"
#include "core/json.h"
#include "server/api_docs.h"

namespace llm::cli {

void add_api_command(CLI::App& app, int& exit_code) {
  auto tables = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("api", "The HTTP API of serve as an OpenAPI document.");
  command->add_flag("--tables", *tables, "Print the tables of docs/api.md as a JSON object");
  command->callback([tables, &exit_code] {
    const core::Json json =
        *tables ? core::Json(server::api_tables()) : server::openapi_document(LLM_VERSION);
    fmt::print("{}\n", json.dump(2));
    exit_code = kExitOk;
  });
}

}  // namespace llm::cli
