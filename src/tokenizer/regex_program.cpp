#include "tokenizer/regex_program.h"

#include <algorithm>

#include "tokenizer/regex_syntax.h"

namespace llm::tokenizer {
namespace {

using Kind = RegexInstruction::Kind;

constexpr std::size_t kMaxInstructions = 4000;

class Emitter {
 public:
  bool emit(const RegexNode& node) {
    switch (node.kind) {
      case RegexNode::Kind::set:
        return add({.kind = Kind::character, .set = static_cast<std::uint16_t>(node.set)});
      case RegexNode::Kind::look:
        return add({.kind = Kind::look,
                    .ahead = node.ahead,
                    .wanted = node.wanted,
                    .at_edge = node.at_edge,
                    .set = static_cast<std::uint16_t>(node.set)});
      case RegexNode::Kind::sequence:
        return std::all_of(node.parts.begin(), node.parts.end(),
                           [this](const RegexNode& part) { return emit(part); });
      case RegexNode::Kind::choice:
        return emit_choice(node);
      case RegexNode::Kind::repeat:
        return emit_repeat(node);
    }
    return false;
  }
  bool finish() { return add({.kind = Kind::match}); }
  std::vector<RegexInstruction> take() { return std::move(code_); }

 private:
  std::uint16_t here() const { return static_cast<std::uint16_t>(code_.size()); }

  bool add(RegexInstruction one) {
    if (code_.size() >= kMaxInstructions) return false;
    one.next = one.kind == Kind::split || one.kind == Kind::jump
                   ? one.next
                   : static_cast<std::uint16_t>(code_.size() + 1);
    code_.push_back(one);
    return true;
  }

  bool emit_choice(const RegexNode& node) {
    std::vector<std::size_t> jumps;
    for (std::size_t at = 0; at < node.parts.size(); ++at) {
      const std::size_t split = code_.size();
      const bool last = at + 1 == node.parts.size();
      if (!last && !add({.kind = Kind::split})) return false;
      if (!emit(node.parts[at])) return false;
      if (last) break;
      jumps.push_back(code_.size());
      if (!add({.kind = Kind::jump})) return false;
      code_[split].next = static_cast<std::uint16_t>(split + 1);
      code_[split].other = here();
    }
    for (const std::size_t jump : jumps) code_[jump].next = here();
    return true;
  }

  // The two ways on from a loop's split, in the order of their priority.
  void aim(std::size_t split, std::uint16_t in, std::uint16_t out, bool greedy) {
    code_[split].next = greedy ? in : out;
    code_[split].other = greedy ? out : in;
  }

  bool emit_repeat(const RegexNode& node) {
    const RegexNode& part = node.parts[0];
    for (std::uint32_t round = 0; round < node.least; ++round) {
      if (!emit(part)) return false;
    }
    if (node.most == RegexNode::kUnlimited) {
      const std::size_t split = code_.size();
      if (!add({.kind = Kind::split}) || !emit(part) || !add({.kind = Kind::jump})) return false;
      code_.back().next = static_cast<std::uint16_t>(split);
      aim(split, static_cast<std::uint16_t>(split + 1), here(), node.greedy);
      return true;
    }
    std::vector<std::size_t> splits;
    for (std::uint32_t round = node.least; round < node.most; ++round) {
      splits.push_back(code_.size());
      if (!add({.kind = Kind::split}) || !emit(part)) return false;
    }
    for (const std::size_t split : splits) {
      aim(split, static_cast<std::uint16_t>(split + 1), here(), node.greedy);
    }
    return true;
  }

  std::vector<RegexInstruction> code_;
};

}  // namespace

std::optional<RegexProgram> RegexProgram::compile(std::string_view pattern) {
  auto syntax = RegexSyntax::parse(pattern);
  Emitter emitter;
  if (!syntax || !emitter.emit(syntax->root) || !emitter.finish()) return std::nullopt;
  return RegexProgram{emitter.take(), std::move(syntax->sets)};
}

}  // namespace llm::tokenizer
