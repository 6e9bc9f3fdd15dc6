// Symbols: which variables a frame has and where each gets its first value, by the rules of Jinja's
// compiler (jinja2/idtracking.py states them): what matters is not only whether a name is assigned
// in a block, but whether it is read before.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "chat/ast.h"

namespace llm::chat {

class Symbols {
 public:
  explicit Symbols(const Symbols* outer = nullptr) : outer_(outer) {}

  void load(const std::string& name);
  void store(const std::string& name);
  void declare_parameter(const std::string& name);

  /// Statements of this frame, up to (not into) the frames inside it.
  void analyze(const Body& body);
  void analyze(Expression& expression);
  void analyze_target(const Target& target, bool as_parameter);

  /// Fixes the places of the variables.
  void finish(FrameLayout& layout);
  /// Of a name that was analyzed here or outside. Needs finish() of this frame and the outer ones.
  std::optional<Slot> find(const std::string& name) const;
  /// Reads the name from the context: for names that Jinja's analysis passes over.
  Slot add(const std::string& name, FrameLayout& layout);

 private:
  struct Variable {
    FrameLayout::Source source = FrameLayout::Source::nothing;
    int index = -1;
  };

  bool knows(const std::string& name) const;
  void analyze(const Statement& statement);
  void analyze_branch(const BranchStatement& branch);
  Symbols analyze_copy(const Body& body) const;
  void merge(std::span<const Symbols> branches);

  const Symbols* outer_;
  std::map<std::string, Variable> variables_;
  std::set<std::string> stores_;
};

/// Which of `names` are read somewhere in the body, frames inside it included, before they are
/// assigned.
std::set<std::string> names_read(const Body& body, std::set<std::string> names);

}  // namespace llm::chat
