#include "tokenizer/normalizer.h"

#include <vector>

#include "core/error.h"
#include "core/quote.h"
#include "tokenizer/unicode_classes.h"
#include "tokenizer/utf8.h"

namespace llm::tokenizer {
namespace {

Status check_growth(const NormalizedText& text, std::size_t bytes) {
  if (bytes <= text.max_bytes) return Status();
  return core::resource_exhausted("normalisation grows the text to more than {} bytes",
                                  text.max_bytes);
}

class Sequence : public Normalizer {
 public:
  explicit Sequence(std::vector<std::unique_ptr<Normalizer>> steps) : steps_(std::move(steps)) {}
  Status apply(NormalizedText& text, MatchBuffer& buffer) const override {
    for (const auto& step : steps_) LLM_RETURN_IF_ERROR(step->apply(text, buffer));
    return Status();
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> steps_;
};

class Prepend : public Normalizer {
 public:
  explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}
  Status apply(NormalizedText& text, MatchBuffer&) const override {
    if (text.text.empty()) return Status();
    LLM_RETURN_IF_ERROR(check_growth(text, text.text.size() + prefix_.size()));
    text.text.insert(0, prefix_);
    return Status();
  }

 private:
  std::string prefix_;
};

class Replace : public Normalizer {
 public:
  Replace(Regex pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  Status apply(NormalizedText& text, MatchBuffer& buffer) const override {
    if (text.text.empty()) return Status();
    std::string out;
    std::size_t copied = 0;
    MatchIterator matches(pattern_, text.text, buffer);
    while (true) {
      LLM_ASSIGN_OR_RETURN(const bool found, matches.next());
      if (!found) break;
      if (out.empty() && copied == 0) out.reserve(text.text.size() + text.text.size() / 2);
      out.append(text.text, copied, matches.begin() - copied);
      LLM_RETURN_IF_ERROR(check_growth(text, out.size() + content_.size()));
      out += content_;
      copied = matches.end();
      if (out.empty() && copied > 0) text.keeps_start = false;
    }
    if (copied == 0 && out.empty()) return Status();
    out.append(text.text, copied);
    text.text = std::move(out);
    return Status();
  }

 private:
  Regex pattern_;
  std::string content_;
};

class UnicodeForm : public Normalizer {
 public:
  explicit UnicodeForm(NormalForm form) : form_(form) {}
  Status apply(NormalizedText& text, MatchBuffer&) const override {
    LLM_ASSIGN_OR_RETURN(text.text, normalize(text.text, form_));
    return Status();
  }

 private:
  NormalForm form_;
};

// Rewrites text character by character; `f(out, c)` appends what becomes of c.
template <class F>
std::string map_characters(const std::string& text, const F& f) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text[at]);
    f(out, decode_valid_utf8(text.data() + at, length));
    at += length;
  }
  return out;
}

class Lowercase : public Normalizer {
 public:
  Status apply(NormalizedText& text, MatchBuffer&) const override {
    text.text =
        map_characters(text.text, [](std::string& out, char32_t c) { append_lowercase(out, c); });
    return Status();
  }
};

class StripAccents : public Normalizer {
 public:
  Status apply(NormalizedText& text, MatchBuffer&) const override {
    text.text = map_characters(text.text, [&text](std::string& out, char32_t c) {
      if (!is_combining_mark(c)) {
        append_utf8(out, c);
      } else if (out.empty()) {
        text.keeps_start = false;
      }
    });
    return Status();
  }
};

class Strip : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}
  Status apply(NormalizedText& text, MatchBuffer&) const override {
    std::size_t begin = 0, first_end = 0, last_end = 0;
    bool seen = false;
    for (std::size_t at = 0; at < text.text.size();) {
      const std::size_t length = utf8_length(text.text[at]);
      if (!is_white_space(decode_valid_utf8(text.text.data() + at, length))) {
        if (!seen) begin = at;
        seen = true;
        last_end = at + length;
      }
      at += length;
      first_end = at;
    }
    if (!seen) {
      if (left_ || right_) text.text.clear();
      return Status();
    }
    const std::size_t end = right_ ? last_end : first_end;
    if (left_ && begin > 0) text.keeps_start = false;
    text.text = text.text.substr(left_ ? begin : 0, end - (left_ ? begin : 0));
    return Status();
  }

 private:
  bool left_, right_;
};

}  // namespace

Result<std::unique_ptr<Normalizer>> parse_normalizer(const JsonNode& node) {
  using Parsed = std::unique_ptr<Normalizer>;
  if (node.is_null()) return Parsed();
  LLM_ASSIGN_OR_RETURN(const std::string type, node.type());
  if (type == "Sequence") {
    LLM_RETURN_IF_ERROR(node.expect_keys({"type", "normalizers"}));
    LLM_ASSIGN_OR_RETURN(const std::vector<JsonNode> items, node.items("normalizers"));
    std::vector<Parsed> steps;
    for (const JsonNode& item : items) {
      if (item.is_null()) return item.corrupt("expected an object, found null");
      LLM_ASSIGN_OR_RETURN(Parsed step, parse_normalizer(item));
      steps.push_back(std::move(step));
    }
    return Parsed(new Sequence(std::move(steps)));
  }
  if (type == "Prepend") {
    LLM_RETURN_IF_ERROR(node.expect_keys({"type", "prepend"}));
    LLM_ASSIGN_OR_RETURN(std::string prefix, node.string("prepend"));
    return Parsed(new Prepend(std::move(prefix)));
  }
  if (type == "Replace") {
    LLM_RETURN_IF_ERROR(node.expect_keys({"type", "pattern", "content"}));
    LLM_ASSIGN_OR_RETURN(Regex pattern, node.pattern("pattern"));
    LLM_ASSIGN_OR_RETURN(std::string content, node.string("content"));
    return Parsed(new Replace(std::move(pattern), std::move(content)));
  }
  if (type == "Strip") {
    LLM_RETURN_IF_ERROR(node.expect_keys({"type", "strip_left", "strip_right"}));
    LLM_ASSIGN_OR_RETURN(const bool left, node.boolean("strip_left"));
    LLM_ASSIGN_OR_RETURN(const bool right, node.boolean("strip_right"));
    return Parsed(new Strip(left, right));
  }
  Parsed plain;
  if (type == "Lowercase") plain = std::make_unique<Lowercase>();
  if (type == "StripAccents") plain = std::make_unique<StripAccents>();
  if (type == "NFC") plain = std::make_unique<UnicodeForm>(NormalForm::nfc);
  if (type == "NFD") plain = std::make_unique<UnicodeForm>(NormalForm::nfd);
  if (type == "NFKC") plain = std::make_unique<UnicodeForm>(NormalForm::nfkc);
  if (type == "NFKD") plain = std::make_unique<UnicodeForm>(NormalForm::nfkd);
  if (plain != nullptr) {
    LLM_RETURN_IF_ERROR(node.expect_keys({"type"}));
    return plain;
  }
  return node.unsupported(fmt::format("unsupported type {}", core::quote(type)));
}

}  // namespace llm::tokenizer
