#include "tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <string>

#include "core/error.h"
#include "tokenizer/regex_dfa.h"
#include "tokenizer/regex_dialect.h"
#include "tokenizer/unicode_updates.h"
#include "tokenizer/utf8.h"

namespace llm::tokenizer {
namespace {

constexpr std::size_t kMaxPatternBytes = 64 * 1024;
// Steps of one search by PCRE2. A pre-tokenizer takes a handful per character; what needs more than
// this is an expression with catastrophic backtracking.
constexpr std::uint32_t kMatchLimit = 50'000'000;
constexpr std::uint32_t kHeapLimitKib = 64 * 1024;

std::string pcre2_message(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  if (pcre2_get_error_message(code, text.data(), text.size()) < 0) return "unknown error";
  return reinterpret_cast<const char*>(text.data());
}

struct CompileContextDeleter {
  void operator()(pcre2_compile_context* context) const { pcre2_compile_context_free(context); }
};

Result<pcre2_code*> compile_pcre2(std::string_view pattern) {
  const std::unique_ptr<pcre2_compile_context, CompileContextDeleter> context(
      pcre2_compile_context_create(nullptr));
  if (context == nullptr) return core::resource_exhausted("no memory for a regular expression");
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  constexpr std::uint32_t kOptions = PCRE2_UCP | PCRE2_MULTILINE | PCRE2_UTF | PCRE2_NO_UTF_CHECK;
  int error = 0;
  PCRE2_SIZE where = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                   kOptions, &error, &where, context.get());
  if (code == nullptr) {
    return core::unsupported("the regular expression cannot be compiled: {}", pcre2_message(error));
  }
  return code;
}

}  // namespace

struct MatchBuffer::State {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);

  State() {
    if (context == nullptr) return;
    pcre2_set_match_limit(context, kMatchLimit);
    pcre2_set_heap_limit(context, kHeapLimitKib);
  }
  ~State() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

// One of the three forms.
struct Regex::Program {
  std::string literal;  // not empty: matches exactly this
  std::optional<RegexDfa> dfa;
  pcre2_code* code = nullptr;  // of PCRE2
  bool jit = false;  // where the system forbids generated code, PCRE2's interpreter does the work

  Program() = default;
  ~Program() { pcre2_code_free(code); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
};

MatchBuffer::MatchBuffer() = default;
MatchBuffer::~MatchBuffer() = default;

Regex::Regex(std::unique_ptr<Program> program) : program_(std::move(program)) {}
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

Result<Regex> Regex::compile(std::string_view pattern) {
  if (pattern.size() > kMaxPatternBytes) {
    return core::unsupported("a regular expression of {} bytes; at most {} are supported",
                             pattern.size(), kMaxPatternBytes);
  }
  LLM_ASSIGN_OR_RETURN(const std::string translated, oniguruma_to_pcre2(pattern));
  // PCRE2 also finds the errors in an expression.
  LLM_ASSIGN_OR_RETURN(pcre2_code* const code, compile_pcre2(translated));
  auto program = std::make_unique<Program>();
  program->dfa = RegexDfa::compile(translated);
  if (program->dfa) {
    pcre2_code_free(code);
  } else {
    program->code = code;
    program->jit = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0;
  }
  return Regex(std::move(program));
}

Result<Regex> Regex::compile_literal(std::string_view text) {
  if (text.empty()) return compile("");
  auto program = std::make_unique<Program>();
  program->literal = text;
  return Regex(std::move(program));
}

void MatchIterator::restart(std::string_view text) {
  text_ = text;
  from_ = 0;
  matched_before_ = false;
  if (regex_.program_->code == nullptr || is_ascii(text)) return;
  older_text_ = with_older_equivalents(text);
  if (older_text_) text_ = *older_text_;
}

Result<bool> MatchIterator::next() {
  if (regex_.program_->dfa) return next_of_dfa();
  const std::string& literal = regex_.program_->literal;
  if (literal.empty()) return next_of_pcre2();
  begin_ = text_.find(literal, from_);
  if (begin_ == std::string_view::npos) return false;
  end_ = from_ = begin_ + literal.size();
  return true;
}

Result<bool> MatchIterator::next_of_dfa() {
  const RegexDfa& dfa = *regex_.program_->dfa;
  RegexDfa::Match match{};
  while (from_ <= text_.size() && dfa.find(text_, from_, match, wasted_)) {
    from_ = match.end;
    if (match.begin == match.end && matched_before_ && end_ == match.end) {
      from_ += from_ < text_.size() ? utf8_length(text_[from_]) : 1;
      continue;
    }
    begin_ = match.begin;
    end_ = match.end;
    matched_before_ = true;
    return true;
  }
  from_ = text_.size() + 1;
  if (wasted_ > RegexDfa::waste_limit(text_)) {
    return core::resource_exhausted("a regular expression takes too many steps on this text");
  }
  return false;
}

Result<bool> MatchIterator::next_of_pcre2() {
  if (buffer_.state_ == nullptr) buffer_.state_ = std::make_unique<MatchBuffer::State>();
  MatchBuffer::State& state = *buffer_.state_;
  if (state.data == nullptr || state.context == nullptr) {
    return core::resource_exhausted("no memory for a search with a regular expression");
  }
  const Regex::Program& program = *regex_.program_;
  const auto subject = reinterpret_cast<PCRE2_SPTR>(text_.data());
  while (from_ <= text_.size()) {
    int rc = PCRE2_ERROR_JIT_STACKLIMIT;
    if (program.jit) {
      rc =
          pcre2_jit_match(program.code, subject, text_.size(), from_, 0, state.data, state.context);
    }
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) {
      rc = pcre2_match(program.code, subject, text_.size(), from_,
                       PCRE2_NO_JIT | PCRE2_NO_UTF_CHECK, state.data, state.context);
    }
    if (rc == PCRE2_ERROR_NOMATCH) break;
    if (rc < 0) {
      return core::resource_exhausted("a regular expression failed on this text: {}",
                                      pcre2_message(rc));
    }
    const PCRE2_SIZE* const place = pcre2_get_ovector_pointer(state.data);
    if (place[0] == place[1] && matched_before_ && end_ == place[1]) {
      from_ += from_ < text_.size() ? utf8_length(text_[from_]) : 1;
      continue;
    }
    begin_ = place[0];
    end_ = place[1];
    from_ = end_;
    matched_before_ = true;
    return true;
  }
  from_ = text_.size() + 1;
  return false;
}

}  // namespace llm::tokenizer
