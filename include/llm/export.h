// LLM_API: what libllm-worker.so exports. Everything else is hidden in it.
#pragma once

#define LLM_API __attribute__((visibility("default")))
