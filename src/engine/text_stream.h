// TextStream: turns sampled tokens into token events whose text is certain. A token is held back
// while part of its text could still change: an incomplete UTF-8 character, or text that may turn
// out to be the beginning of a stop string. When a stop string appears, text ends just before it.
// Concatenated, the texts of the events are exactly the text of the generation. One per request,
// one thread.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "llm/engine.h"
#include "tokenizer/stream_decoder.h"

namespace llm::engine {

class TextStream {
 public:
  /// `tokenizer` must outlive the stream. See StreamDecoder for `continues_text`.
  TextStream(const tokenizer::Tokenizer& tokenizer, std::vector<std::string> stop,
             bool continues_text);

  /// Adds a token; `event.text` is filled here. Events that became certain are appended to
  /// `released`. True when a stop string was found: the generation is over, and everything held
  /// has been released. With `may_stop` false, stop strings are not looked for in the text so far.
  bool push(TokenEvent event, bool may_stop, std::vector<TokenEvent>& released);
  /// The generation is over: releases what was held, with its text as it stands.
  void finish(std::vector<TokenEvent>& released);

  /// The stop string that push() found.
  const std::string& matched_stop() const { return matched_stop_; }

 private:
  bool find_stop();
  std::size_t possible_stop_prefix() const;
  void release(std::size_t certain_bytes, std::vector<TokenEvent>& released);

  tokenizer::StreamDecoder decoder_;
  std::vector<std::string> stop_;
  std::deque<TokenEvent> held_;
  std::string held_text_;             // the texts of held_, concatenated
  std::size_t undecided_tokens_ = 0;  // trailing tokens with an incomplete character
  std::string matched_stop_;
};

}  // namespace llm::engine
