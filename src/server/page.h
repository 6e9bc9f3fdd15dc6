// The page at `/`: a chat with the served model, one file without dependencies, built into the
// program from page/index.html. It uses the OpenAI API like any client.
#pragma once

#include "server/router.h"

namespace llm::server {

void add_page_route(Router& router);

}  // namespace llm::server
