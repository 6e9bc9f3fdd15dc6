// The statements of a template.
#include <utility>

#include "chat/interpreter.h"
#include "chat/iterate.h"
#include "chat/loop.h"
#include "chat/macro.h"
#include "chat/namespace.h"
#include "chat/operators.h"
#include "chat/python_text.h"
#include "core/error.h"

namespace llm::chat {

Result<std::string> Interpreter::run(const Program& program) {
  const FramePtr frame = enter(program.frame, nullptr);
  Result<std::string> text = capture(program.body, frame);
  if (!text) {
    const std::string place = "line " + std::to_string(std::max(error_line_, 1));
    return text.error().with_prefix(place);
  }
  return text;
}

std::shared_ptr<Frame> Interpreter::enter(const FrameLayout& layout, const FramePtr& outer) {
  auto frame = std::make_shared<Frame>();
  frame->outer = outer;
  initialize(layout, *frame);
  return frame;
}

void Interpreter::initialize(const FrameLayout& layout, Frame& frame) {
  frame.slots.assign(layout.variables.size(), Value());
  for (std::size_t i = 0; i < layout.variables.size(); ++i) {
    const FrameLayout::Variable& variable = layout.variables[i];
    if (variable.source == FrameLayout::Source::outer) {
      frame.slots[i] = slot(frame, variable.outer);
    } else if (variable.source == FrameLayout::Source::context) {
      const Value* value = variables_.find(variable.name);
      if (value == nullptr) value = globals_.find(variable.name);
      if (value != nullptr) frame.slots[i] = *value;
    }
  }
}

Status Interpreter::write(std::string_view text) {
  if (out_->size() + text.size() > runtime_.budget.limits().output_bytes) {
    return core::resource_exhausted("the template writes more than {} bytes",
                                    runtime_.budget.limits().output_bytes);
  }
  out_->append(text);
  runtime_.budget.spend_bytes(text.size());
  return {};
}

// Unlike {{ ... }}, blocks do not turn what they make into text.
Status Interpreter::write_block(const Value& made) {
  if (made.is_text()) return write(made.bytes());
  return core::invalid_argument("the block makes a value of type {}, which is not text",
                                made.type_name());
}

Result<std::string> Interpreter::capture(const Body& body, const FramePtr& frame) {
  std::string text;
  std::string* const outside = std::exchange(out_, &text);
  const auto flow = execute(body, frame);
  out_ = outside;
  if (!flow) return flow.error();
  return text;
}

Result<Interpreter::Flow> Interpreter::execute(const Body& body, const FramePtr& frame) {
  for (const auto& statement : body) {
    LLM_ASSIGN_OR_RETURN(const Flow flow, execute(*statement, frame));
    if (flow != Flow::normal) return flow;
  }
  return Flow::normal;
}

Result<Interpreter::Flow> Interpreter::execute(const Statement& statement, const FramePtr& frame) {
  Budget& budget = runtime_.budget;
  if (!budget.spend() || budget.exhausted()) return note_line(budget.status(), statement.line);
  if (depth_ >= budget.limits().depth) {
    return note_line(core::resource_exhausted("calls are nested too deeply"), statement.line);
  }
  ++depth_;
  auto result = execute_node(statement, frame);
  --depth_;
  if (!result) return note_line(result.error(), statement.line);
  return result;
}

Result<Interpreter::Flow> Interpreter::execute_node(const Statement& statement,
                                                    const FramePtr& frame) {
  switch (statement.kind) {
    case Statement::Kind::text:
      LLM_RETURN_IF_ERROR(write(static_cast<const TextStatement&>(statement).text));
      return Flow::normal;
    case Statement::Kind::output:
      LLM_RETURN_IF_ERROR(execute_output(static_cast<const OutputStatement&>(statement), frame));
      return Flow::normal;
    case Statement::Kind::branch:
      return execute_branch(static_cast<const BranchStatement&>(statement), frame);
    case Statement::Kind::loop:
      return execute_loop(static_cast<const LoopStatement&>(statement), frame);
    case Statement::Kind::assign: {
      const auto& assignment = static_cast<const AssignStatement&>(statement);
      LLM_ASSIGN_OR_RETURN(Value value, evaluate(*assignment.value, frame));
      LLM_RETURN_IF_ERROR(assign(assignment.target, std::move(value), *frame));
      return Flow::normal;
    }
    case Statement::Kind::capture:
      return execute_capture(static_cast<const CaptureStatement&>(statement), frame);
    case Statement::Kind::macro: {
      const auto& macro = static_cast<const MacroStatement&>(statement);
      auto made = std::make_shared<Macro>(*this, macro.procedure, frame);
      runtime_.own(made);
      slot(*frame, macro.slot) = Value::object(std::move(made));
      return Flow::normal;
    }
    case Statement::Kind::call_block:
      return execute_call_block(static_cast<const CallBlockStatement&>(statement), frame);
    case Statement::Kind::generation: {
      const auto& block = static_cast<const GenerationStatement&>(statement);
      return execute(block.body, enter(block.frame, frame));
    }
    case Statement::Kind::filter_block:
      return execute_filter_block(static_cast<const FilterBlockStatement&>(statement), frame);
    case Statement::Kind::with:
      return execute_with(static_cast<const WithStatement&>(statement), frame);
    case Statement::Kind::break_loop:
      return Flow::leave_loop;
    case Statement::Kind::continue_loop:
      return Flow::next_round;
  }
  return core::internal_error("a statement of unknown kind");
}

Status Interpreter::execute_output(const OutputStatement& output, const FramePtr& frame) {
  for (const ExpressionPtr& node : output.values) {
    LLM_ASSIGN_OR_RETURN(const Value value, evaluate(*node, frame));
    if (value.is_text()) {
      LLM_RETURN_IF_ERROR(write(value.bytes()));
    } else {
      LLM_ASSIGN_OR_RETURN(const std::string text, to_text(runtime_, value));
      LLM_RETURN_IF_ERROR(write(text));
    }
  }
  return {};
}

Result<Interpreter::Flow> Interpreter::execute_branch(const BranchStatement& branch,
                                                      const FramePtr& frame) {
  for (const BranchStatement::Arm& arm : branch.arms) {
    bool taken = !arm.condition;
    if (!taken) {
      LLM_ASSIGN_OR_RETURN(taken, evaluate_truth(*arm.condition, frame));
    }
    if (taken) return execute(arm.body, frame);
  }
  return Flow::normal;
}

Status Interpreter::assign(const Target& target, Value value, Frame& frame) {
  switch (target.kind) {
    case Target::Kind::name:
      slot(frame, target.slot) = std::move(value);
      return {};
    case Target::Kind::attribute: {
      auto* space = slot(frame, target.slot).as<Namespace>();
      if (space == nullptr) {
        return core::invalid_argument("cannot assign attribute on non-namespace object");
      }
      return space->set(target.attribute, std::move(value));
    }
    case Target::Kind::tuple:
      break;
  }
  LLM_ASSIGN_OR_RETURN(std::vector<Value> items, to_items(runtime_, value));
  if (items.size() != target.items.size()) {
    return core::invalid_argument("expected {} values to unpack, found {}", target.items.size(),
                                  items.size());
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    LLM_RETURN_IF_ERROR(assign(target.items[i], std::move(items[i]), frame));
  }
  return {};
}

Result<Interpreter::Flow> Interpreter::execute_loop(const LoopStatement& loop,
                                                    const FramePtr& frame) {
  LLM_ASSIGN_OR_RETURN(const Value iterable, evaluate(*loop.iterable, frame));
  if (!loop.recursive) return run_loop(loop, iterable, frame, 0);
  LLM_ASSIGN_OR_RETURN(const std::string text, run_recursive_loop(loop, iterable, frame, 0));
  LLM_RETURN_IF_ERROR(write(text));
  return Flow::normal;
}

Result<std::string> Interpreter::run_recursive_loop(const LoopStatement& loop,
                                                    const Value& iterable, const FramePtr& outer,
                                                    int depth) {
  std::string text;
  std::string* const outside = std::exchange(out_, &text);
  const auto flow = run_loop(loop, iterable, outer, depth);
  out_ = outside;
  if (!flow) return flow.error();
  return text;
}

Result<Interpreter::Flow> Interpreter::run_loop(const LoopStatement& loop, const Value& iterable,
                                                const FramePtr& outer, int depth) {
  LLM_ASSIGN_OR_RETURN(std::unique_ptr<Iterator> iterator, iterate(runtime_, iterable));
  iterator = iterate_if(*this, loop, outer, std::move(iterator));
  std::shared_ptr<LoopContext> context;
  if (loop.loop_index >= 0) {
    context =
        std::make_shared<LoopContext>(*this, loop, outer, iterable, std::move(iterator), depth);
  }
  FramePtr frame;
  bool completed = false;  // some round reached the end of the body; to Jinja, that is what counts
  Value item;
  for (;;) {
    LLM_ASSIGN_OR_RETURN(const bool more, context ? context->next(item) : iterator->next(item));
    if (!more) break;
    if (frame && frame.use_count() == 1) {
      initialize(loop.frame, *frame);
    } else {  // a macro keeps the frame of the last round
      frame = enter(loop.frame, outer);
    }
    LLM_RETURN_IF_ERROR(assign(loop.target, std::move(item), *frame));
    if (context) frame->slots[static_cast<std::size_t>(loop.loop_index)] = Value::object(context);
    LLM_ASSIGN_OR_RETURN(const Flow flow, execute(loop.body, frame));
    if (flow == Flow::leave_loop) break;
    if (flow == Flow::normal) completed = true;
    if (!runtime_.budget.spend()) return runtime_.budget.status();
  }
  if (completed || loop.otherwise.empty()) return Flow::normal;
  return execute(loop.otherwise, enter(loop.otherwise_frame, outer));
}

Result<Interpreter::Flow> Interpreter::execute_capture(const CaptureStatement& capture_node,
                                                       const FramePtr& frame) {
  const FramePtr inside = enter(capture_node.frame, frame);
  std::string text;
  std::string* const outside = std::exchange(out_, &text);
  const auto flow = execute(capture_node.body, inside);
  out_ = outside;
  if (!flow) return flow.error();
  if (*flow != Flow::normal) return *flow;  // left by break or continue: nothing is assigned
  Value value = runtime_.text(std::move(text));
  if (capture_node.filter) {
    const auto& filter = static_cast<const FilterExpression&>(*capture_node.filter);
    LLM_ASSIGN_OR_RETURN(value, evaluate_filter(filter, inside, &value));
  }
  LLM_RETURN_IF_ERROR(assign(capture_node.target, std::move(value), *frame));
  return Flow::normal;
}

Result<Interpreter::Flow> Interpreter::execute_call_block(const CallBlockStatement& block,
                                                          const FramePtr& frame) {
  auto caller = std::make_shared<Macro>(*this, block.procedure, frame);
  runtime_.own(caller);
  const Value value = Value::object(std::move(caller));
  LLM_ASSIGN_OR_RETURN(const Value result, evaluate_call(*block.call, frame, &value));
  LLM_RETURN_IF_ERROR(write_block(result));
  return Flow::normal;
}

Result<Interpreter::Flow> Interpreter::execute_filter_block(const FilterBlockStatement& block,
                                                            const FramePtr& frame) {
  const FramePtr inside = enter(block.frame, frame);
  std::string text;
  std::string* const outside = std::exchange(out_, &text);
  const auto flow = execute(block.body, inside);
  out_ = outside;
  if (!flow) return flow.error();
  if (*flow != Flow::normal) return *flow;
  const Value captured = runtime_.text(std::move(text));
  const auto& filter = static_cast<const FilterExpression&>(*block.filter);
  LLM_ASSIGN_OR_RETURN(const Value result, evaluate_filter(filter, inside, &captured));
  LLM_RETURN_IF_ERROR(write_block(result));
  return Flow::normal;
}

Result<Interpreter::Flow> Interpreter::execute_with(const WithStatement& with,
                                                    const FramePtr& frame) {
  const FramePtr inside = enter(with.frame, frame);
  for (std::size_t i = 0; i < with.targets.size(); ++i) {
    LLM_ASSIGN_OR_RETURN(Value value, evaluate(*with.values[i], frame));
    LLM_RETURN_IF_ERROR(assign(with.targets[i], std::move(value), *inside));
  }
  return execute(with.body, inside);
}

}  // namespace llm::chat
