# Every fuzz target, once: fuzz_<name>.cpp defines LLVMFuzzerTestOneInput, corpus/<name>/ holds its
# inputs, <name>.dict (optional) its dictionary. Included by fuzz/ (libFuzzer, the `fuzz` preset) and
# by fuzz_replay/ (ordinary builds), which define llm_fuzz_target(<name> DEPENDS <folders>).
llm_fuzz_target(gguf DEPENDS formats)
llm_fuzz_target(safetensors DEPENDS formats)
llm_fuzz_target(packed_header DEPENDS formats)
llm_fuzz_target(job_body DEPENDS server)
llm_fuzz_target(completion_body DEPENDS server sampling)
llm_fuzz_target(chat_template DEPENDS chat)
llm_fuzz_target(tokenizer_json DEPENDS tokenizer)
llm_fuzz_target(gguf_vocabulary DEPENDS tokenizer)
