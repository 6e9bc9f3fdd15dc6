#include "tokenizer/decoder.h"

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "core/quote.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/metaspace.h"
#include "tokenizer/utf8.h"
#include "tokenizer/utf8_repair.h"

namespace llm::tokenizer {
namespace {

constexpr std::size_t kMaxDepth = 16;

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  std::size_t copied = 0;
  for (std::size_t at = text.find(from); at != std::string_view::npos;
       at = text.find(from, copied)) {
    out.append(text, copied, at - copied).append(to);
    copied = at + from.size();
  }
  return out.append(text, copied);
}

std::size_t count_characters(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); at += utf8_length(text[at])) ++count;
  return count;
}

// A step that treats every token, or every fragment, by itself.
template <class F>
class EachState : public DecoderState {
 public:
  explicit EachState(F f) : f_(std::move(f)) {}
  void push(std::string_view text, Sink next) override { next(f_(text)); }

 private:
  F f_;
};

// A step that needs the one text as a whole.
template <class F>
class WholeState : public DecoderState {
 public:
  explicit WholeState(F f) : f_(std::move(f)) {}
  void push(std::string_view text, Sink) override { text_ += text; }
  void finish(Sink next) override { next(f_(text_)); }
  bool holding() const override { return !text_.empty(); }

 private:
  F f_;
  std::string text_;
};

template <class F>
std::unique_ptr<DecoderState> each(F f) {
  return std::make_unique<EachState<F>>(std::move(f));
}

template <class F>
std::unique_ptr<DecoderState> whole(F f) {
  return std::make_unique<WholeState<F>>(std::move(f));
}

class Replace : public DecoderStep {
 public:
  Replace(std::string from, std::string to) : from_(std::move(from)), to_(std::move(to)) {}

  std::unique_ptr<DecoderState> start(bool fragments, bool) const override {
    // A single character cannot lie across two fragments.
    if (fragments && count_characters(from_) > 1) {
      return whole([this](std::string_view text) { return replace_all(text, from_, to_); });
    }
    return std::make_unique<Tokens>(*this);
  }
  bool to_bytes(std::string& text, bool) const override {
    text = replace_all(text, from_, to_);
    return true;
  }

 private:
  class Tokens : public DecoderState {
   public:
    explicit Tokens(const Replace& step) : step_(step) {}
    void push(std::string_view text, Sink next) override {
      if (text.find(step_.from_) == std::string_view::npos) return next(text);
      next(replace_all(text, step_.from_, step_.to_));
    }

   private:
    const Replace& step_;
  };

  std::string from_, to_;
};

class Fuse : public DecoderStep {
 public:
  std::unique_ptr<DecoderState> start(bool, bool) const override {
    return each([](std::string_view text) { return text; });
  }
  bool fuses() const override { return true; }
  bool to_bytes(std::string&, bool) const override { return true; }
};

std::optional<std::uint8_t> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
  return std::nullopt;
}

// "<0xE4>" is the byte E4.
std::optional<char> byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || !token.ends_with('>')) return std::nullopt;
  const auto high = hex_digit(token[3]), low = hex_digit(token[4]);
  if (!high || !low) return std::nullopt;
  return static_cast<char>(static_cast<std::uint8_t>(*high << 4 | *low));
}

class ByteFallback : public DecoderStep {
 public:
  std::unique_ptr<DecoderState> start(bool fragments, bool) const override {
    if (!fragments) return std::make_unique<Tokens>();
    return whole([](std::string_view text) {
      const auto byte = byte_of_token(text);
      return byte ? decode_run({&*byte, 1}) : std::string(text);
    });
  }
  bool to_bytes(std::string& text, bool fragments) const override {
    const auto byte = byte_of_token(text);
    if (fragments || !byte) return true;
    text = *byte;
    return false;
  }

 private:
  // A run of byte tokens is either valid as a whole, or all of it is broken.
  static std::string decode_run(std::string_view bytes) {
    if (is_valid_utf8(bytes)) return std::string(bytes);
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); ++at) out += kReplacementUtf8;
    return out;
  }

  class Tokens : public DecoderState {
   public:
    void push(std::string_view text, Sink next) override {
      if (const auto byte = byte_of_token(text)) {
        run_ += *byte;
        return;
      }
      finish(next);
      next(text);
    }
    void finish(Sink next) override {
      if (is_valid_utf8(run_)) {
        if (!run_.empty()) next(run_);
      } else {
        for (std::size_t at = 0; at < run_.size(); ++at) next(kReplacementUtf8);
      }
      run_.clear();
    }
    bool holding() const override { return !run_.empty(); }

   private:
    std::string run_;
  };
};

class Strip : public DecoderStep {
 public:
  Strip(char32_t content, std::size_t start, std::size_t stop)
      : content_(to_utf8(content)), start_(start), stop_(stop) {}

  std::unique_ptr<DecoderState> start(bool fragments, bool continues) const override {
    if (fragments) return std::make_unique<Fragments>(*this, continues);
    return each([this](std::string_view text) { return strip(text); });
  }
  bool to_bytes(std::string& text, bool fragments) const override {
    if (!fragments) text = std::string(strip(text));
    return true;
  }
  bool strips_leading_space() const { return start_ > 0 && content_ == " "; }

 private:
  std::string_view strip(std::string_view text) const {
    for (std::size_t n = 0; n < start_ && text.starts_with(content_); ++n) {
      text.remove_prefix(content_.size());
    }
    for (std::size_t n = 0; n < stop_ && text.ends_with(content_); ++n) {
      text.remove_suffix(content_.size());
    }
    return text;
  }

  // The start of the text is stripped as it comes; what may be its end is held back.
  class Fragments : public DecoderState {
   public:
    Fragments(const Strip& step, bool continues)
        : step_(step), to_strip_(continues ? 0 : step.start_) {}

    void push(std::string_view text, Sink next) override {
      const std::string& content = step_.content_;
      for (; to_strip_ > 0 && text.starts_with(content); --to_strip_) {
        text.remove_prefix(content.size());
      }
      if (text.empty()) return;
      to_strip_ = 0;
      std::size_t tail = 0;
      while (tail < step_.stop_ && text.ends_with(content)) {
        text.remove_suffix(content.size());
        ++tail;
      }
      if (text.empty()) {
        for (held_ += tail; held_ > step_.stop_; --held_) next(content);
        return;
      }
      for (; held_ > 0; --held_) next(content);
      held_ = tail;
      next(text);
    }
    bool holding() const override { return held_ > 0; }

   private:
    const Strip& step_;
    std::size_t to_strip_;
    std::size_t held_ = 0;
  };

  std::string content_;
  std::size_t start_, stop_;
};

class Metaspace : public DecoderStep {
 public:
  explicit Metaspace(MetaspaceOptions options) : options_(options), mark_(to_utf8(options.mark)) {}

  std::unique_ptr<DecoderState> start(bool fragments, bool continues) const override {
    bool drop = !continues && strips_leading_space();
    return each([this, fragments, drop](std::string_view text) mutable {
      std::string out = replace_all(text, mark_, drop ? "" : " ");
      if (!fragments) drop = false;  // only the first token loses its marks
      return out;
    });
  }
  bool to_bytes(std::string& text, bool) const override {
    text = replace_all(text, mark_, " ");
    return true;
  }
  bool strips_leading_space() const { return options_.prepend != MetaspaceOptions::Prepend::never; }

 private:
  MetaspaceOptions options_;
  std::string mark_;
};

class ByteLevel : public DecoderStep {
 public:
  std::unique_ptr<DecoderState> start(bool fragments, bool) const override {
    if (!fragments) return std::make_unique<Tokens>();
    return whole([](std::string_view text) { return replace_invalid_utf8(bytes_of(text)); });
  }
  bool fuses() const override { return true; }
  bool to_bytes(std::string& text, bool) const override {
    text = bytes_of(text);
    return false;
  }

 private:
  // A token with any other character stands for its own bytes.
  static std::string bytes_of(std::string_view token) {
    return alphabet_to_bytes(token).value_or(std::string(token));
  }

  class Tokens : public DecoderState {
   public:
    void push(std::string_view text, Sink next) override {
      bytes_.clear();
      if (!append_alphabet_bytes(bytes_, text)) bytes_ = text;
      out_.clear();
      repair_.push(bytes_, out_);
      if (!out_.empty()) next(out_);
    }
    void finish(Sink next) override {
      out_.clear();
      repair_.finish(out_);
      if (!out_.empty()) next(out_);
    }
    bool holding() const override { return repair_.holding(); }

   private:
    Utf8Repair repair_;
    std::string bytes_, out_;
  };
};

Status flatten(const JsonNode& node, std::size_t depth, std::vector<JsonNode>& steps) {
  LLM_ASSIGN_OR_RETURN(const std::string type, node.type());
  if (type != "Sequence") {
    steps.push_back(node);
    return Status();
  }
  if (depth >= kMaxDepth) return node.unsupported("sequences nested too deeply");
  LLM_RETURN_IF_ERROR(node.expect_keys({"type", "decoders"}));
  LLM_ASSIGN_OR_RETURN(const std::vector<JsonNode> items, node.items("decoders"));
  for (const JsonNode& item : items) LLM_RETURN_IF_ERROR(flatten(item, depth + 1, steps));
  return Status();
}

Result<std::unique_ptr<DecoderStep>> parse_replace(const JsonNode& node) {
  LLM_RETURN_IF_ERROR(node.expect_keys({"type", "pattern", "content"}));
  const JsonNode pattern = node.member("pattern");
  LLM_RETURN_IF_ERROR(pattern.expect_keys({"String", "Regex"}));
  if (pattern.has("Regex")) return pattern.unsupported("a regular expression in a decoder");
  LLM_ASSIGN_OR_RETURN(std::string from, pattern.string("String"));
  if (from.empty()) return pattern.unsupported("an empty pattern");
  LLM_ASSIGN_OR_RETURN(std::string to, node.string("content"));
  return std::unique_ptr<DecoderStep>(new Replace(std::move(from), std::move(to)));
}

}  // namespace

Result<DecoderChain> DecoderChain::parse(const JsonNode& node) {
  DecoderChain chain;
  if (node.is_null()) {
    chain.joins_with_space_ = true;
    return chain;
  }
  std::vector<JsonNode> nodes;
  LLM_RETURN_IF_ERROR(flatten(node, 0, nodes));
  bool fragments = false;
  for (const JsonNode& one : nodes) {
    LLM_ASSIGN_OR_RETURN(const std::string type, one.type());
    std::unique_ptr<DecoderStep> step;
    if (type == "Replace") {
      LLM_ASSIGN_OR_RETURN(step, parse_replace(one));
    } else if (type == "Strip") {
      LLM_RETURN_IF_ERROR(one.expect_keys({"type", "content", "start", "stop"}));
      LLM_ASSIGN_OR_RETURN(const char32_t content, one.character("content"));
      LLM_ASSIGN_OR_RETURN(const std::int32_t start, one.integer("start"));
      LLM_ASSIGN_OR_RETURN(const std::int32_t stop, one.integer("stop"));
      auto strip = std::make_unique<Strip>(content, static_cast<std::size_t>(start),
                                           static_cast<std::size_t>(stop));
      chain.strips_leading_space_ |= fragments && strip->strips_leading_space();
      step = std::move(strip);
    } else if (type == "Metaspace") {
      LLM_ASSIGN_OR_RETURN(const MetaspaceOptions options, parse_metaspace(one));
      auto metaspace = std::make_unique<Metaspace>(options);
      chain.strips_leading_space_ |= metaspace->strips_leading_space();
      step = std::move(metaspace);
    } else if (type == "ByteLevel") {
      LLM_RETURN_IF_ERROR(
          one.expect_keys({"type", "add_prefix_space", "trim_offsets", "use_regex"}));
      step = std::make_unique<ByteLevel>();
    } else if (type == "ByteFallback") {
      LLM_RETURN_IF_ERROR(one.expect_keys({"type"}));
      step = std::make_unique<ByteFallback>();
    } else if (type == "Fuse") {
      LLM_RETURN_IF_ERROR(one.expect_keys({"type"}));
      step = std::make_unique<Fuse>();
    } else {
      return one.unsupported(fmt::format("unsupported type {}", core::quote(type)));
    }
    fragments = fragments || step->fuses();
    chain.steps_.push_back(std::move(step));
  }
  return chain;
}

DecoderChain::Run::Run(const DecoderChain& chain, bool continues)
    : joins_with_space_(chain.joins_with_space_), at_start_(!continues) {
  bool fragments = false;
  for (const auto& step : chain.steps_) {
    states_.push_back(step->start(fragments, continues));
    fragments = fragments || step->fuses();
  }
}

void DecoderChain::Run::feed(std::size_t step, std::string_view text, std::string& out) {
  if (step == states_.size()) {
    out += text;
    return;
  }
  const auto next = [this, step, &out](std::string_view result) { feed(step + 1, result, out); };
  states_[step]->push(text, next);
}

void DecoderChain::Run::push(std::string_view token, std::string& out) {
  if (joins_with_space_ && !at_start_) out += ' ';
  at_start_ = false;
  feed(0, token, out);
}

void DecoderChain::Run::finish(std::string& out) {
  for (std::size_t step = 0; step < states_.size(); ++step) {
    const auto next = [this, step, &out](std::string_view result) { feed(step + 1, result, out); };
    states_[step]->finish(next);
  }
}

bool DecoderChain::Run::holding() const {
  return std::any_of(states_.begin(), states_.end(),
                     [](const auto& state) { return state->holding(); });
}

std::string DecoderChain::token_bytes(std::string_view token) const {
  std::string text(token);
  bool fragments = false;
  for (const auto& step : steps_) {
    if (!step->to_bytes(text, fragments)) break;
    fragments = fragments || step->fuses();
  }
  return text;
}

}  // namespace llm::tokenizer
