#include "chat/resolver.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "chat/ast_children.h"
#include "chat/checks.h"
#include "chat/filters.h"
#include "chat/lexer.h"
#include "chat/symbols.h"
#include "core/quote.h"

namespace llm::chat {
namespace {

class Resolver {
 public:
  explicit Resolver(std::set<std::string>& variables) : variables_(variables) {}

  Status run(Program& program) {
    Symbols symbols;
    symbols.analyze(program.body);
    return resolve_frame(symbols, program.frame, program.body);
  }

 private:
  // A place in the tree. Inside of conditions (`soft`), filters and tests need exist only when they
  // are used: templates ask first whether they do.
  struct Place {
    Symbols& symbols;
    FrameLayout& layout;
    bool soft = false;
  };

  Status resolve_frame(Symbols& symbols, FrameLayout& layout, Body& body) {
    symbols.finish(layout);
    LLM_RETURN_IF_ERROR(resolve(Place{symbols, layout}, body));
    note_variables(layout);
    return {};
  }

  void note_variables(const FrameLayout& layout) {
    for (const FrameLayout::Variable& variable : layout.variables) {
      if (variable.source == FrameLayout::Source::context) variables_.insert(variable.name);
    }
  }

  Status resolve(const Place& place, Body& body) {
    for (auto& statement : body) LLM_RETURN_IF_ERROR(resolve(place, *statement));
    return {};
  }

  Slot slot_of(const Place& place, const std::string& name) {
    const auto found = place.symbols.find(name);
    return found ? *found : place.symbols.add(name, place.layout);
  }

  Status resolve(const Place& place, ExpressionPtr& expression) {
    if (!expression) return {};
    return resolve(place, *expression);
  }

  Status resolve(const Place& place, Expression& expression) {
    Place inside = place;
    switch (expression.kind) {
      case Expression::Kind::name: {
        auto& name = static_cast<NameExpression&>(expression);
        name.slot = slot_of(place, name.name);
        return {};
      }
      case Expression::Kind::filter: {
        auto& filter = static_cast<FilterExpression&>(expression);
        filter.filter = find_filter(filter.name);
        if (filter.filter == nullptr && !place.soft) {
          return error_at(filter.line, unknown_filter(filter.name));
        }
        break;
      }
      case Expression::Kind::check: {
        auto& check = static_cast<CheckExpression&>(expression);
        check.check = find_check(check.name);
        if (check.check == nullptr && !place.soft) {
          return error_at(check.line, unknown_check(check.name));
        }
        break;
      }
      case Expression::Kind::conditional:
        inside.soft = true;
        break;
      default:
        break;
    }
    Status status;
    visit_children(expression, [&](ExpressionPtr& child) {
      if (status.ok()) status = resolve(inside, *child);
    });
    return status;
  }

  Status resolve(const Place& place, Target& target) {
    if (target.kind == Target::Kind::tuple) {
      for (Target& item : target.items) LLM_RETURN_IF_ERROR(resolve(place, item));
      return {};
    }
    if (target.kind == Target::Kind::name && target.name == "loop" && loops_ > 0) {
      return error_at(target.line, "cannot assign to the special variable 'loop' in a loop");
    }
    target.slot = slot_of(place, target.name);
    return {};
  }

  Status resolve(const Place& place, Statement& statement) {
    switch (statement.kind) {
      case Statement::Kind::text:
      case Statement::Kind::break_loop:
      case Statement::Kind::continue_loop:
        return {};
      case Statement::Kind::output:
        for (auto& value : static_cast<OutputStatement&>(statement).values) {
          LLM_RETURN_IF_ERROR(resolve(place, value));
        }
        return {};
      case Statement::Kind::branch: {
        Place inside = place;
        inside.soft = true;
        for (auto& arm : static_cast<BranchStatement&>(statement).arms) {
          LLM_RETURN_IF_ERROR(resolve(inside, arm.condition));
          LLM_RETURN_IF_ERROR(resolve(inside, arm.body));
        }
        return {};
      }
      case Statement::Kind::loop:
        return resolve_loop(place, static_cast<LoopStatement&>(statement));
      case Statement::Kind::assign: {
        auto& assign = static_cast<AssignStatement&>(statement);
        LLM_RETURN_IF_ERROR(resolve(place, assign.value));
        return resolve(place, assign.target);
      }
      case Statement::Kind::capture:
        return resolve_capture(place, static_cast<CaptureStatement&>(statement));
      case Statement::Kind::macro: {
        auto& macro = static_cast<MacroStatement&>(statement);
        macro.slot = slot_of(place, macro.procedure.name);
        return resolve_procedure(place, macro.procedure, macro.line);
      }
      case Statement::Kind::call_block: {
        auto& block = static_cast<CallBlockStatement&>(statement);
        LLM_RETURN_IF_ERROR(resolve(place, *block.call));
        return resolve_procedure(place, block.procedure, block.line);
      }
      case Statement::Kind::generation: {
        auto& block = static_cast<GenerationStatement&>(statement);
        Symbols symbols(&place.symbols);
        symbols.analyze(block.body);
        return resolve_frame(symbols, block.frame, block.body);
      }
      case Statement::Kind::filter_block:
        return resolve_filter_block(place, static_cast<FilterBlockStatement&>(statement));
      case Statement::Kind::with:
        return resolve_with(place, static_cast<WithStatement&>(statement));
    }
    return {};
  }

  Status resolve_loop(const Place& place, LoopStatement& loop) {
    ++loops_;
    LLM_RETURN_IF_ERROR(resolve(place, loop.iterable));
    Symbols symbols(&place.symbols);
    if (loop.recursive || !names_read(loop.body, {"loop"}).empty()) {
      symbols.declare_parameter("loop");
    }
    symbols.analyze_target(loop.target, true);
    symbols.analyze(loop.body);
    if (loop.condition) {
      Symbols filter(&place.symbols);
      filter.analyze_target(loop.target, true);
      filter.analyze(*loop.condition);
      filter.finish(loop.condition_frame);
      const Place inside{filter, loop.condition_frame};
      loop.condition_target = loop.target;
      LLM_RETURN_IF_ERROR(resolve(inside, loop.condition_target));
      LLM_RETURN_IF_ERROR(resolve(inside, loop.condition));
      note_variables(loop.condition_frame);
    }
    LLM_RETURN_IF_ERROR(resolve_frame(symbols, loop.frame, loop.body));
    LLM_RETURN_IF_ERROR(resolve(Place{symbols, loop.frame}, loop.target));
    const auto own = symbols.find("loop");
    if (own && own->hops == 0) loop.loop_index = own->index;
    if (!loop.otherwise.empty()) {
      Symbols otherwise(&place.symbols);
      otherwise.analyze(loop.otherwise);
      LLM_RETURN_IF_ERROR(resolve_frame(otherwise, loop.otherwise_frame, loop.otherwise));
    }
    --loops_;
    return {};
  }

  Status resolve_capture(const Place& place, CaptureStatement& capture) {
    LLM_RETURN_IF_ERROR(resolve(place, capture.target));
    Symbols symbols(&place.symbols);
    symbols.analyze(capture.body);
    LLM_RETURN_IF_ERROR(resolve_frame(symbols, capture.frame, capture.body));
    LLM_RETURN_IF_ERROR(resolve(Place{symbols, capture.frame}, capture.filter));
    note_variables(capture.frame);
    return {};
  }

  Status resolve_filter_block(const Place& place, FilterBlockStatement& block) {
    Symbols symbols(&place.symbols);
    symbols.analyze(block.body);
    symbols.analyze(*block.filter);
    LLM_RETURN_IF_ERROR(resolve_frame(symbols, block.frame, block.body));
    return resolve(Place{symbols, block.frame}, block.filter);
  }

  Status resolve_with(const Place& place, WithStatement& with) {
    for (auto& value : with.values) LLM_RETURN_IF_ERROR(resolve(place, value));
    Symbols symbols(&place.symbols);
    for (const Target& target : with.targets) symbols.analyze_target(target, true);
    symbols.analyze(with.body);
    LLM_RETURN_IF_ERROR(resolve_frame(symbols, with.frame, with.body));
    const int loops = std::exchange(loops_, 0);  // these may be called `loop`
    for (Target& target : with.targets) {
      LLM_RETURN_IF_ERROR(resolve(Place{symbols, with.frame}, target));
    }
    loops_ = loops;
    return {};
  }

  Status resolve_procedure(const Place& place, Procedure& procedure, int line) {
    Symbols symbols(&place.symbols);
    const auto analyze = [&] {
      for (const std::string& name : procedure.parameters) symbols.declare_parameter(name);
      for (const auto& value : procedure.defaults) symbols.analyze(*value);
      symbols.analyze(procedure.body);
    };
    analyze();
    const std::set<std::string> special =
        names_read(procedure.body, {"caller", "kwargs", "varargs"});
    const auto parameter = [&](std::string_view name) {
      for (std::size_t i = 0; i < procedure.parameters.size(); ++i) {
        if (procedure.parameters[i] == name) return static_cast<int>(i);
      }
      return -1;
    };
    std::vector<std::string> extra;
    if (special.contains("caller")) {
      const int place_of_caller = parameter("caller");
      const auto with_default =
          static_cast<int>(procedure.parameters.size() - procedure.defaults.size());
      if (place_of_caller >= 0 && place_of_caller < with_default) {
        return error_at(line, "the parameter 'caller' needs a default");
      }
      if (place_of_caller < 0) extra.emplace_back("caller");
    }
    for (const char* name : {"kwargs", "varargs"}) {
      if (special.contains(name) && parameter(name) < 0) extra.emplace_back(name);
    }
    for (const std::string& name : extra) symbols.declare_parameter(name);
    symbols.analyze(procedure.body);  // as Jinja does: with the special parameters known
    symbols.finish(procedure.frame);
    const Place inside{symbols, procedure.frame};
    for (auto& value : procedure.defaults) LLM_RETURN_IF_ERROR(resolve(inside, value));
    LLM_RETURN_IF_ERROR(resolve(inside, procedure.body));
    note_variables(procedure.frame);
    for (const std::string& name : procedure.parameters) {
      procedure.parameter_index.push_back(procedure.frame.find(name));
    }
    const auto own = [&](std::string_view name) {
      return std::find(extra.begin(), extra.end(), name) == extra.end()
                 ? -1
                 : procedure.frame.find(name);
    };
    procedure.caller_index = own("caller");
    procedure.kwargs_index = own("kwargs");
    procedure.varargs_index = own("varargs");
    return {};
  }

  std::set<std::string>& variables_;
  int loops_ = 0;  // around the current place
};

}  // namespace

Status resolve(Program& program, std::set<std::string>& variables) {
  return Resolver(variables).run(program);
}

}  // namespace llm::chat
