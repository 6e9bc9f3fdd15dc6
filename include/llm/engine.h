// Engine: one loaded model that serves many generation requests at once. Requests come in from any
// thread; one engine thread owns the model and calls the observers.
//
//   auto engine = llm::load_model("models/demo", {});
//   engine.value()->submit(request, observer);
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "llm/chat.h"
#include "llm/engine_stats.h"
#include "llm/export.h"
#include "llm/model_info.h"
#include "llm/sampling.h"
#include "llm/status.h"

namespace llm {

/// How far loading has come; a total of 0 means not known yet.
struct LoadProgress {
  std::int64_t layers_loaded = 0;
  std::int64_t layers_total = 0;
  std::uint64_t bytes_loaded = 0;
  std::uint64_t bytes_total = 0;
};

struct LoadOptions {
  std::string device = "cpu";
  /// "f32", "f16", "bf16" or "auto" (as stored). Empty: f32 for safetensors; a GGUF file keeps its
  /// own types whatever is said here (a note is logged).
  std::string dtype;
  /// Type of the KV cache, in every precision that is loaded: "f32", "f16", "bf16", "q8_0" (8-bit
  /// integers with a scale per 32 components), or "auto" or empty: the weights' type, f16 for
  /// quantised weights.
  std::string kv_dtype;
  int threads = 0;           ///< 0: as many as the process may use
  std::int64_t context = 0;  ///< positions per sequence; 0: what the model states, if memory allows
  int max_sequences = 0;     ///< sequences that run at once; 0: chosen
  /// Most rows of one step: the slice in which prompts are prefilled. 0: chosen.
  std::int64_t max_batch_rows = 0;
  /// Memory of the KV cache, in bytes; 0: as much as some full contexts need, if there is that
  /// much.
  std::size_t kv_cache_bytes = 0;
  /// Whether requests that begin alike share the keys and values of their beginning, also after
  /// one has ended. Never changes a result.
  bool prefix_cache = true;
  /// For the weights of all precisions together that requests ask for (GenerationRequest::dtype),
  /// in bytes; 0: as much as memory allows.
  std::size_t max_weights_bytes = 0;
  /// Requests that may wait when `max_sequences` run; further ones are refused.
  int max_queue = 64;
  /// Prompts are processed in slices between the tokens of running streams, so that two tokens of
  /// a stream are no further apart than this; where decoding alone takes as long, prompts get a
  /// fifth of the time. 0: no limit.
  double max_token_gap_ms = 200;
  /// File that keeps the weights as the kernels want them: written at the first start, mapped at
  /// the next one, which then neither reads nor converts weights. Written anew when the model, the
  /// dtype, the instruction set or the program has changed. A directory that exists: a file in it
  /// for each model, dtype and instruction set. Only there do further precisions have one too.
  /// Empty: none.
  std::string packed_cache;
  std::string instruction_set;  ///< kernels to use ("ref", "avx2", ...); empty: the best there is
  /// Called during load_model, from one thread at a time, now and then; must return quickly.
  std::function<void(const LoadProgress&)> on_progress;
};

struct GenerationRequest {
  std::string prompt;                       ///< text; encoded with the tokenizer's special tokens
  std::vector<std::int32_t> prompt_tokens;  ///< used instead of `prompt` when not empty
  /// Whether encoding `prompt` adds BOS and the like; off for a text that a chat template wrote.
  bool add_special = true;
  std::optional<std::int64_t> max_tokens;  ///< absent: up to the end of the context
  SamplingParams sampling;
  std::vector<std::string> stop;  ///< generation ends before any of these texts
  int logprobs = 0;               ///< alternatives reported per token, 0..20
  /// Report the prompt's tokens (on_prompt_token) with so many alternatives each, 0..20. The prefix
  /// cache is not used for such a prompt: the logits of all its positions are needed.
  std::optional<int> prompt_logprobs;
  /// Precision to run in: the loaded one, or another supported one, which is then loaded beside it.
  std::optional<DType> dtype;
  bool ignore_eos = false;  ///< end tokens are tokens like others
  /// No end token is chosen and no stop string ends the generation before so many tokens.
  std::int64_t min_tokens = 0;
  /// Who asks: prompts are processed, and waiting requests started, in turns between clients. Any
  /// text; requests with the same (or without one) are in line with each other.
  std::string client;
  /// Time for the whole request, waiting included; then it ends with a deadline_exceeded error,
  /// whatever it is doing. Absent: no limit.
  std::optional<std::int64_t> timeout_ms;
};

enum class StopReason : std::uint8_t { eos, max_tokens, stop_sequence, cancelled, error };

struct TokenLogprob {
  std::int32_t id = 0;
  std::string bytes;  ///< what the token stands for; need not be valid UTF-8 alone
  float logprob = 0;  ///< log-softmax of the raw logits, before any sampler
};

struct TokenEvent {
  std::int64_t index = 0;  ///< from 0
  std::int32_t id = 0;
  std::string text;  ///< valid UTF-8; may be empty (part of a character, or of a stop string)
  std::optional<TokenLogprob> logprob;     ///< of this token, when logprobs were asked for
  std::vector<TokenLogprob> alternatives;  ///< most likely first
};

struct TokenizeOptions {
  bool add_special = true;  ///< with BOS and the like
  /// Control tokens written in the text are recognised; off, they are text like any other.
  bool parse_special = true;
};

/// What a request really runs with.
struct StartEvent {
  std::int64_t prompt_tokens = 0;
  std::int64_t max_tokens = 0;     ///< after clipping to the context
  SamplingParams sampling;         ///< with the seed in use
  std::int64_t cached_tokens = 0;  ///< prompt tokens found in the prefix cache
};

struct EndEvent {
  StopReason reason = StopReason::eos;
  std::string stop_sequence;  ///< the one that matched, for stop_sequence
  Status error;               ///< for StopReason::error
  std::int64_t prompt_tokens = 0;
  /// Prompt tokens whose keys and values were already there; more than at the start when another
  /// request with the same beginning was ahead.
  std::int64_t cached_tokens = 0;
  std::int64_t tokens_out = 0;  ///< events delivered
  /// Times that the request gave its memory to others and was computed again: slower, same result.
  std::int64_t preemptions = 0;
  double queue_ms = 0;
  double prefill_ms = 0;
  double decode_ms = 0;
};

/// Receives one request's events, on the engine thread: on_start, on_prompt_token*, on_token*,
/// on_end; on_end alone when it ends before it started. Must return quickly and not call back into
/// the engine except cancel(). An exception ends the request.
class LLM_API GenerationObserver {
 public:
  virtual ~GenerationObserver() = default;
  virtual void on_start(const StartEvent& event) = 0;
  /// The prompt's tokens in order, when prompt_logprobs were asked for: `index` in the prompt, the
  /// texts together are the prompt's, and no logprob for the first.
  virtual void on_prompt_token(const TokenEvent& /*event*/) {}
  virtual void on_token(const TokenEvent& event) = 0;
  virtual void on_end(const EndEvent& event) = 0;
};

using RequestId = std::uint64_t;

class LLM_API Engine {
 public:
  virtual ~Engine() = default;

  /// Of the model in the precision that was asked for at loading.
  virtual const ModelInfo& info() const = 0;
  /// That precision, and those that are loaded beside it now.
  virtual std::vector<DType> loaded_dtypes() const = 0;

  virtual Result<std::vector<std::int32_t>> tokenize(std::string_view text,
                                                     TokenizeOptions options) const = 0;
  /// Text of token ids, control tokens by their names.
  virtual Result<std::string> detokenize(std::span<const std::int32_t> ids) const = 0;
  /// Bytes that one token stands for, which need not be valid UTF-8 alone; of a control token its
  /// name.
  virtual Result<std::string> token_piece(std::int32_t id) const = 0;
  /// ok when conversations can be rendered; else why not (not_found: the model has no chat
  /// template).
  virtual Status chat_status() const = 0;
  /// The prompt that the model's chat template makes of a conversation; to be encoded with
  /// GenerationRequest::add_special off. Errors: invalid_argument (messages or options are wrong,
  /// or the template refuses them), not_found (no template of that name), unsupported (tools or
  /// documents that the template has no place for), resource_exhausted.
  virtual Result<RenderedChat> render_chat(const ChatRequest& request) const = 0;

  /// Checks the request and puts it in the queue. Errors are returned here, and then the observer
  /// is never called: invalid_argument for a value out of range or a prompt that leaves no room;
  /// unavailable when the engine is stopping or has failed, or, with retry_after_ms() above 0, when
  /// the queue is full; resource_exhausted, with the numbers, when the model cannot be loaded in
  /// the precision wanted. Otherwise on_end is called exactly once, in the end. For several answers
  /// to one prompt, submit it several times, with different seeds: its keys and values are computed
  /// once (LoadOptions::prefix_cache).
  virtual Result<RequestId> submit(GenerationRequest request,
                                   std::shared_ptr<GenerationObserver> observer) = 0;
  /// Ends a request with StopReason::cancelled within one step (a token, or a slice of a prompt);
  /// unknown or finished ids are ignored.
  virtual void cancel(RequestId id) = 0;

  /// Logits of every position of `tokens` (or of the last one only), computed in slices of `chunk`
  /// positions (0: as large as possible) on a fresh cache, between two steps: requests wait
  /// meanwhile. Row-major (rows, vocab_size).
  virtual Result<std::vector<float>> logits(std::span<const std::int32_t> tokens,
                                            std::int64_t chunk, bool all_positions) = 0;

  /// As of the last finished step.
  virtual EngineStats stats() const = 0;
  /// ok, or why the engine has given up: every request has ended with an error and new ones are
  /// refused. A single step that fails ends the requests in it and is no reason to give up.
  virtual Status health() const = 0;
};

/// Loads a Hugging Face safetensors directory or a GGUF file. Errors name file and item.
LLM_API Result<std::unique_ptr<Engine>> load_model(const std::string& path,
                                                   const LoadOptions& options);

}  // namespace llm
