#include "chat/symbols.h"

#include "chat/ast_children.h"

namespace llm::chat {
namespace {

using Source = FrameLayout::Source;

// Walks everything, in the order of the fields of Jinja's nodes.
class NameReader {
 public:
  explicit NameReader(std::set<std::string> names) : names_(std::move(names)) {}

  const std::set<std::string>& read() const { return read_; }

  void visit(const Body& body) {
    for (const auto& statement : body) visit(*statement);
  }

 private:
  void visit(const ExpressionPtr& expression) {
    if (!expression) return;
    if (expression->kind == Expression::Kind::name) {
      const std::string& name = static_cast<const NameExpression&>(*expression).name;
      if (names_.contains(name)) read_.insert(name);
      return;
    }
    visit_children(*expression, [this](const ExpressionPtr& child) { visit(child); });
  }

  void visit(const Target& target) {
    if (target.kind == Target::Kind::name) names_.erase(target.name);
    for (const Target& item : target.items) visit(item);
  }

  void visit(const Procedure& procedure) {
    for (const std::string& parameter : procedure.parameters) names_.erase(parameter);
    for (const ExpressionPtr& value : procedure.defaults) visit(value);
    visit(procedure.body);
  }

  void visit(const Statement& statement) {
    switch (statement.kind) {
      case Statement::Kind::text:
      case Statement::Kind::break_loop:
      case Statement::Kind::continue_loop:
        return;
      case Statement::Kind::output:
        for (const auto& value : static_cast<const OutputStatement&>(statement).values) {
          visit(value);
        }
        return;
      case Statement::Kind::branch:
        for (const auto& arm : static_cast<const BranchStatement&>(statement).arms) {
          visit(arm.condition);
          visit(arm.body);
        }
        return;
      case Statement::Kind::loop: {
        const auto& loop = static_cast<const LoopStatement&>(statement);
        visit(loop.target);
        visit(loop.iterable);
        visit(loop.body);
        visit(loop.otherwise);
        return visit(loop.condition);
      }
      case Statement::Kind::assign: {
        const auto& assign = static_cast<const AssignStatement&>(statement);
        visit(assign.target);
        return visit(assign.value);
      }
      case Statement::Kind::capture: {
        const auto& capture = static_cast<const CaptureStatement&>(statement);
        visit(capture.target);
        visit(capture.filter);
        return visit(capture.body);
      }
      case Statement::Kind::macro:
        return visit(static_cast<const MacroStatement&>(statement).procedure);
      case Statement::Kind::call_block: {
        const auto& block = static_cast<const CallBlockStatement&>(statement);
        visit(block.call->callee);
        visit_arguments(block.call->arguments, [this](const ExpressionPtr& e) { visit(e); });
        return visit(block.procedure);
      }
      case Statement::Kind::generation:
        return visit(static_cast<const GenerationStatement&>(statement).body);
      case Statement::Kind::filter_block: {
        const auto& block = static_cast<const FilterBlockStatement&>(statement);
        visit(block.body);
        return visit(block.filter);
      }
      case Statement::Kind::with: {
        const auto& with = static_cast<const WithStatement&>(statement);
        for (const Target& target : with.targets) visit(target);
        for (const ExpressionPtr& value : with.values) visit(value);
        return visit(with.body);
      }
    }
  }

  std::set<std::string> names_;
  std::set<std::string> read_;
};

}  // namespace

bool Symbols::knows(const std::string& name) const {
  return variables_.contains(name) || (outer_ != nullptr && outer_->knows(name));
}

void Symbols::load(const std::string& name) {
  if (!knows(name)) variables_[name] = {.source = Source::context};
}

void Symbols::store(const std::string& name) {
  stores_.insert(name);
  if (variables_.contains(name)) return;
  const bool outside = outer_ != nullptr && outer_->knows(name);
  variables_[name] = {.source = outside ? Source::outer : Source::nothing};
}

void Symbols::declare_parameter(const std::string& name) {
  stores_.insert(name);
  variables_[name] = {.source = Source::parameter};
}

void Symbols::analyze(const Body& body) {
  for (const auto& statement : body) analyze(*statement);
}

void Symbols::analyze(Expression& expression) {
  if (expression.kind == Expression::Kind::name) {
    return load(static_cast<NameExpression&>(expression).name);
  }
  visit_children(expression, [this](const ExpressionPtr& child) { analyze(*child); });
}

void Symbols::analyze_target(const Target& target, bool as_parameter) {
  switch (target.kind) {
    case Target::Kind::name:
      return as_parameter ? declare_parameter(target.name) : store(target.name);
    case Target::Kind::attribute:
      return load(target.name);
    case Target::Kind::tuple:
      for (const Target& item : target.items) analyze_target(item, as_parameter);
  }
}

void Symbols::analyze(const Statement& statement) {
  switch (statement.kind) {
    case Statement::Kind::text:
    case Statement::Kind::break_loop:
    case Statement::Kind::continue_loop:
    case Statement::Kind::generation:
      return;
    case Statement::Kind::output:
      for (const auto& value : static_cast<const OutputStatement&>(statement).values) {
        analyze(*value);
      }
      return;
    case Statement::Kind::branch:
      return analyze_branch(static_cast<const BranchStatement&>(statement));
    case Statement::Kind::loop:
      return analyze(*static_cast<const LoopStatement&>(statement).iterable);
    case Statement::Kind::assign: {
      const auto& assign = static_cast<const AssignStatement&>(statement);
      analyze(*assign.value);
      return analyze_target(assign.target, false);
    }
    case Statement::Kind::capture:
      return analyze_target(static_cast<const CaptureStatement&>(statement).target, false);
    case Statement::Kind::macro:
      return store(static_cast<const MacroStatement&>(statement).procedure.name);
    case Statement::Kind::call_block:
      return analyze(*static_cast<const CallBlockStatement&>(statement).call);
    case Statement::Kind::filter_block:
      return analyze(*static_cast<const FilterBlockStatement&>(statement).filter);
    case Statement::Kind::with:
      for (const auto& value : static_cast<const WithStatement&>(statement).values) {
        analyze(*value);
      }
      return;
  }
}

Symbols Symbols::analyze_copy(const Body& body) const {
  Symbols copy = *this;
  copy.analyze(body);
  return copy;
}

// The arms between the first and `else` are, to Jinja, ifs of their own one after another.
void Symbols::analyze_branch(const BranchStatement& branch) {
  const auto& arms = branch.arms;
  analyze(*arms.front().condition);
  std::vector<Symbols> branches = {analyze_copy(arms.front().body), *this, *this};
  for (std::size_t i = 1; i < arms.size(); ++i) {
    if (arms[i].condition) {
      Symbols& between = branches[1];
      between.analyze(*arms[i].condition);
      const Symbols alone[] = {between.analyze_copy(arms[i].body)};
      between.merge(alone);
    } else {
      branches[2].analyze(arms[i].body);
    }
  }
  merge(branches);
}

void Symbols::merge(std::span<const Symbols> branches) {
  std::set<std::string> stored;  // in some branch, but not before
  for (const Symbols& branch : branches) {
    for (const std::string& name : branch.stores_) {
      if (!stores_.contains(name)) stored.insert(name);
    }
  }
  for (const Symbols& branch : branches) {
    for (const auto& [name, variable] : branch.variables_) variables_[name] = variable;
    stores_.insert(branch.stores_.begin(), branch.stores_.end());
  }
  for (const std::string& name : stored) {
    const bool outside = outer_ != nullptr && outer_->knows(name);
    variables_[name].source = outside ? Source::outer : Source::context;
  }
}

void Symbols::finish(FrameLayout& layout) {
  for (auto& [name, variable] : variables_) {
    variable.index = static_cast<int>(layout.variables.size());
    FrameLayout::Variable entry{.name = name, .source = variable.source};
    if (variable.source == Source::outer) {
      entry.outer = outer_->find(name).value_or(Slot());
      ++entry.outer.hops;
    }
    layout.variables.push_back(std::move(entry));
  }
}

std::optional<Slot> Symbols::find(const std::string& name) const {
  int hops = 0;
  for (const Symbols* frame = this; frame != nullptr; frame = frame->outer_, ++hops) {
    const auto found = frame->variables_.find(name);
    if (found != frame->variables_.end()) return Slot{.hops = hops, .index = found->second.index};
  }
  return std::nullopt;
}

Slot Symbols::add(const std::string& name, FrameLayout& layout) {
  const auto index = static_cast<int>(layout.variables.size());
  variables_[name] = {.source = Source::context, .index = index};
  layout.variables.push_back({.name = name, .source = Source::context});
  return {.hops = 0, .index = index};
}

std::set<std::string> names_read(const Body& body, std::set<std::string> names) {
  NameReader reader(std::move(names));
  reader.visit(body);
  return reader.read();
}

}  // namespace llm::chat
