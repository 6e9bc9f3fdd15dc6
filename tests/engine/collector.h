// Collector: an observer that keeps one request's events and lets a test wait for them.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "llm/engine.h"

namespace llm {

class Collector : public GenerationObserver {
 public:
  void on_start(const StartEvent& event) override {
    const std::lock_guard lock(mutex_);
    start = event;
    ++starts;
    changed_.notify_all();
  }
  void on_prompt_token(const TokenEvent& event) override {
    const std::lock_guard lock(mutex_);
    prompt.push_back(event);
  }
  void on_token(const TokenEvent& event) override {
    const std::lock_guard lock(mutex_);
    tokens.push_back(event);
    changed_.notify_all();
  }
  void on_end(const EndEvent& event) override {
    const std::lock_guard lock(mutex_);
    end = event;
    ++ends;
    changed_.notify_all();
  }

  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ends > 0; });
  }
  void wait_for_start() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return starts > 0 || ends > 0; });
  }
  void wait_for_tokens(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return tokens.size() >= count || ends > 0; });
  }

  // To be read after the end.
  std::string text() const { return text_of(tokens); }
  std::vector<std::int32_t> ids() const {
    std::vector<std::int32_t> all;
    for (const TokenEvent& token : tokens) all.push_back(token.id);
    return all;
  }
  static std::string text_of(const std::vector<TokenEvent>& events) {
    std::string all;
    for (const TokenEvent& token : events) all += token.text;
    return all;
  }

  StartEvent start;
  std::vector<TokenEvent> prompt;
  std::vector<TokenEvent> tokens;
  EndEvent end;
  int starts = 0;
  int ends = 0;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

inline ::testing::AssertionResult same_logprob(const TokenLogprob& a, const TokenLogprob& b) {
  if (a.id == b.id && a.bytes == b.bytes && a.logprob == b.logprob) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure()
         << a.id << " " << a.logprob << " and " << b.id << " " << b.logprob;
}

/// Every bit of two token streams: ids, texts, logprobs and alternatives.
inline ::testing::AssertionResult same_tokens(const std::vector<TokenEvent>& a,
                                              const std::vector<TokenEvent>& b) {
  if (a.size() != b.size()) {
    return ::testing::AssertionFailure() << a.size() << " tokens and " << b.size();
  }
  for (std::size_t t = 0; t < a.size(); ++t) {
    const auto differ = [&] { return ::testing::AssertionFailure() << "token " << t << ": "; };
    if (a[t].index != b[t].index || a[t].id != b[t].id || a[t].text != b[t].text) {
      return differ() << a[t].id << " \"" << a[t].text << "\" and " << b[t].id << " \"" << b[t].text
                      << "\"";
    }
    if (a[t].logprob.has_value() != b[t].logprob.has_value() ||
        a[t].alternatives.size() != b[t].alternatives.size()) {
      return differ() << "logprobs of one only";
    }
    if (a[t].logprob) {
      if (auto same = same_logprob(*a[t].logprob, *b[t].logprob); !same) {
        return differ() << same.message();
      }
    }
    for (std::size_t n = 0; n < a[t].alternatives.size(); ++n) {
      if (auto same = same_logprob(a[t].alternatives[n], b[t].alternatives[n]); !same) {
        return differ() << "alternative " << n << ": " << same.message();
      }
    }
  }
  return ::testing::AssertionSuccess();
}

/// What a request has to say for itself; not its times, nor how the engine got there.
inline ::testing::AssertionResult same_result(const Collector& a, const Collector& b) {
  if (a.end.reason != b.end.reason || a.end.stop_sequence != b.end.stop_sequence ||
      a.end.prompt_tokens != b.end.prompt_tokens || a.end.tokens_out != b.end.tokens_out) {
    return ::testing::AssertionFailure()
           << "different ends: " << a.end.tokens_out << " tokens and " << b.end.tokens_out;
  }
  if (auto same = same_tokens(a.prompt, b.prompt); !same) {
    return ::testing::AssertionFailure() << "prompt " << same.message();
  }
  return same_tokens(a.tokens, b.tokens);
}

}  // namespace llm
