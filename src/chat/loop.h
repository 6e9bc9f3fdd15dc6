// LoopContext: the variable `loop` inside of a for loop.
#pragma once

#include <memory>
#include <optional>

#include "chat/ast.h"
#include "chat/interpreter.h"
#include "chat/iterate.h"

namespace llm::chat {

class LoopContext final : public Object {
 public:
  /// `iterator` goes through `iterable`; when the loop has a condition, only through what passes.
  /// `depth`: 0, and one more for each recursion.
  LoopContext(Interpreter& interpreter, const LoopStatement& loop, std::shared_ptr<Frame> outer,
              Value iterable, std::unique_ptr<Iterator> iterator, int depth);

  std::string_view type_name() const override { return "LoopContext"; }
  Result<std::string> repr(Runtime& runtime) override;
  bool callable() const override { return true; }
  /// loop(items): the body again, for items inside the current one.
  Result<Value> call(Runtime& runtime, const Arguments& arguments) override;
  Result<Value> attribute(Runtime& runtime, std::string_view name) override;
  Result<std::optional<std::int64_t>> length() override;
  std::unique_ptr<Iterator> iterate(Runtime& runtime) override;
  void clear() override;

  Result<bool> next(Value& item);

 private:
  Status peek();
  Result<Value> cycle(const Arguments& arguments) const;
  Result<Value> changed(Runtime& runtime, const Arguments& arguments);

  Interpreter& interpreter_;
  const LoopStatement& loop_;
  std::shared_ptr<Frame> outer_;
  Value iterable_;
  std::unique_ptr<Iterator> iterator_;
  int depth_;
  std::int64_t index_ = -1;
  std::optional<std::int64_t> length_;
  bool peeked_ = false;
  Value after_;  // when peeked_: the next item, or missing at the end
  Value current_;
  Value before_;
  Value last_changed_;
};

/// Goes through the items that pass the condition of a loop.
std::unique_ptr<Iterator> iterate_if(Interpreter& interpreter, const LoopStatement& loop,
                                     const std::shared_ptr<Frame>& outer,
                                     std::unique_ptr<Iterator> iterator);

}  // namespace llm::chat
