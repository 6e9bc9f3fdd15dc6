// DecoderChain: the "decoder" of tokenizer.json, from the texts of tokens to one text. It works
// token by token (a Run), giving out text as soon as no later token can change it; decoding a whole
// sequence is the same run to its end, so both always agree. The chain is immutable; a Run belongs
// to one thread and must not outlive its chain.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/function_ref.h"
#include "llm/status.h"
#include "tokenizer/json_node.h"

namespace llm::tokenizer {

/// One step at work on one sequence. Steps before the first fusing step get whole tokens; those
/// behind it get fragments of the one text.
class DecoderState {
 public:
  using Sink = core::FunctionRef<void(std::string_view)>;
  virtual ~DecoderState() = default;
  virtual void push(std::string_view text, Sink next) = 0;
  virtual void finish(Sink) {}
  /// Whether text is held back for what may follow.
  virtual bool holding() const { return false; }
};

class DecoderStep {
 public:
  virtual ~DecoderStep() = default;
  /// `fragments`: behind a fusing step. `continues`: the sequence is not at the start of a text.
  virtual std::unique_ptr<DecoderState> start(bool fragments, bool continues) const = 0;
  virtual bool fuses() const { return false; }
  /// Changes the text of a token to the bytes it stands for inside running text. False: the bytes
  /// are final, later steps do not apply.
  virtual bool to_bytes(std::string& text, bool fragments) const = 0;
};

class DecoderChain {
 public:
  /// A JSON null joins the tokens with spaces.
  static Result<DecoderChain> parse(const JsonNode& node);

  class Run {
   public:
    Run(const DecoderChain& chain, bool continues);
    void push(std::string_view token, std::string& out);
    void finish(std::string& out);
    bool holding() const;

   private:
    void feed(std::size_t step, std::string_view text, std::string& out);
    std::vector<std::unique_ptr<DecoderState>> states_;
    bool joins_with_space_;
    bool at_start_;
  };

  /// The bytes that a token stands for inside running text.
  std::string token_bytes(std::string_view token) const;
  /// Whether a leading space of the whole text is taken away.
  bool strips_leading_space() const { return strips_leading_space_; }

 private:
  std::vector<std::unique_ptr<DecoderStep>> steps_;
  bool joins_with_space_ = false;
  bool strips_leading_space_ = false;
};

}  // namespace llm::tokenizer
