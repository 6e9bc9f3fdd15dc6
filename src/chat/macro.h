// Macro: a macro, or the body of a call block, as something to be called.
#pragma once

#include <memory>

#include "chat/ast.h"
#include "chat/interpreter.h"

namespace llm::chat {

class Macro final : public Object {
 public:
  /// `outer`: the frame in which the macro is defined.
  Macro(Interpreter& interpreter, const Procedure& procedure, std::shared_ptr<Frame> outer);

  std::string_view type_name() const override { return "Macro"; }
  Result<std::string> repr(Runtime& runtime) override;
  bool callable() const override { return true; }
  Result<Value> call(Runtime& runtime, const Arguments& arguments) override;
  Result<Value> attribute(Runtime& runtime, std::string_view name) override;
  /// Lets go of the frame, which may hold this macro.
  void clear() override { outer_.reset(); }

 private:
  Status bind_parameters(Runtime& runtime, const Arguments& arguments,
                         const std::shared_ptr<Frame>& frame) const;

  Interpreter& interpreter_;
  const Procedure& procedure_;
  std::shared_ptr<Frame> outer_;
  Charge charge_;
};

}  // namespace llm::chat
