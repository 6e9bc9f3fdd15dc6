// Interpreter: runs one parsed template once. Values, scopes and errors behave as in the Python
// code that Jinja would compile the template to.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "chat/ast.h"
#include "chat/object.h"
#include "llm/status.h"

namespace llm::chat {

/// The variables of one block that is being run.
struct Frame {
  std::shared_ptr<Frame> outer;
  std::vector<Value> slots;
};

class Interpreter {
 public:
  /// All must outlive the interpreter and every value it makes. `variables`: what the template is
  /// given; they go before globals of the same name.
  Interpreter(Runtime& runtime, const Mapping& variables, const Mapping& globals)
      : runtime_(runtime), variables_(variables), globals_(globals) {}

  /// The text that the template writes. Errors begin with "line N: ".
  Result<std::string> run(const Program& program);

  Runtime& runtime() { return runtime_; }

  // For loops and macros.
  std::shared_ptr<Frame> enter(const FrameLayout& layout, const std::shared_ptr<Frame>& outer);
  /// Gives the variables of a frame their first values again.
  void initialize(const FrameLayout& layout, Frame& frame);
  Result<Value> evaluate(const Expression& expression, const std::shared_ptr<Frame>& frame);
  Status assign(const Target& target, Value value, Frame& frame);
  /// What the body writes, as a text of its own.
  Result<std::string> capture(const Body& body, const std::shared_ptr<Frame>& frame);
  Result<std::string> run_recursive_loop(const LoopStatement& loop, const Value& iterable,
                                         const std::shared_ptr<Frame>& outer, int depth);

 private:
  enum class Flow : std::uint8_t { normal, leave_loop, next_round };
  using FramePtr = std::shared_ptr<Frame>;

  Value& slot(Frame& frame, Slot where) const;
  Status budget_status() const { return runtime_.budget.status(); }

  // evaluate.cpp
  Result<Value> evaluate_node(const Expression& expression, const FramePtr& frame);
  Result<Value> evaluate_group(const GroupExpression& group, const FramePtr& frame);
  Result<Value> evaluate_mapping(const MappingExpression& mapping, const FramePtr& frame);
  Result<Value> evaluate_name(const NameExpression& name, const FramePtr& frame);
  Result<Value> evaluate_slice(const SliceExpression& slice, const FramePtr& frame);
  Result<Value> evaluate_call(const CallExpression& call, const FramePtr& frame,
                              const Value* caller = nullptr);
  Result<Value> evaluate_filter(const FilterExpression& filter, const FramePtr& frame,
                                const Value* captured = nullptr);
  Result<Value> evaluate_check(const CheckExpression& check, const FramePtr& frame);
  Result<Value> evaluate_compare(const CompareExpression& comparison, const FramePtr& frame);
  Result<Value> evaluate_conditional(const ConditionalExpression& choice, const FramePtr& frame);
  Status evaluate_arguments(const ArgumentList& list, const FramePtr& frame, Arguments& arguments,
                            const Value* caller = nullptr);
  Result<bool> evaluate_truth(const Expression& expression, const FramePtr& frame);

  // execute.cpp
  Result<Flow> execute(const Body& body, const FramePtr& frame);
  Result<Flow> execute(const Statement& statement, const FramePtr& frame);
  Result<Flow> execute_node(const Statement& statement, const FramePtr& frame);
  Result<Flow> execute_branch(const BranchStatement& branch, const FramePtr& frame);
  Result<Flow> execute_loop(const LoopStatement& loop, const FramePtr& frame);
  Result<Flow> execute_capture(const CaptureStatement& capture, const FramePtr& frame);
  Result<Flow> execute_call_block(const CallBlockStatement& block, const FramePtr& frame);
  Result<Flow> execute_filter_block(const FilterBlockStatement& block, const FramePtr& frame);
  Result<Flow> execute_with(const WithStatement& with, const FramePtr& frame);
  Result<Flow> run_loop(const LoopStatement& loop, const Value& iterable, const FramePtr& outer,
                        int depth);
  Status execute_output(const OutputStatement& output, const FramePtr& frame);
  Status write(std::string_view text);
  Status write_block(const Value& made);
  Status note_line(Status status, int line);

  Runtime& runtime_;
  const Mapping& variables_;
  const Mapping& globals_;
  std::string* out_ = nullptr;  // where the current block writes
  int depth_ = 0;
  int error_line_ = 0;  // of the innermost node that failed
};

}  // namespace llm::chat
