#include "chat/loop.h"

#include <fmt/core.h>

#include "chat/arguments.h"
#include "chat/functions.h"
#include "chat/operators.h"
#include "core/error.h"

namespace llm::chat {
namespace {

class FilteredIterator final : public Iterator {
 public:
  FilteredIterator(Interpreter& interpreter, const LoopStatement& loop,
                   const std::shared_ptr<Frame>& outer, std::unique_ptr<Iterator> iterator)
      : interpreter_(interpreter),
        loop_(loop),
        frame_(interpreter.enter(loop.condition_frame, outer)),
        iterator_(std::move(iterator)) {}

  Result<bool> next(Value& item) override {
    for (;;) {
      LLM_ASSIGN_OR_RETURN(const bool more, iterator_->next(item));
      if (!more) return false;
      LLM_RETURN_IF_ERROR(interpreter_.assign(loop_.condition_target, item, *frame_));
      LLM_ASSIGN_OR_RETURN(const Value passed, interpreter_.evaluate(*loop_.condition, frame_));
      LLM_ASSIGN_OR_RETURN(const bool kept, truth(passed));
      if (kept) return true;
    }
  }

 private:
  Interpreter& interpreter_;
  const LoopStatement& loop_;
  std::shared_ptr<Frame> frame_;
  std::unique_ptr<Iterator> iterator_;
};

class ListIterator final : public Iterator {
 public:
  explicit ListIterator(std::vector<Value> items) : items_(std::move(items)) {}
  Result<bool> next(Value& item) override {
    if (at_ == items_.size()) return false;
    item = items_[at_++];
    return true;
  }

 private:
  std::vector<Value> items_;
  std::size_t at_ = 0;
};

// `for x in loop` goes on with the loop's own items.
class LoopIterator final : public Iterator {
 public:
  LoopIterator(Runtime& runtime, std::shared_ptr<Object> loop)
      : runtime_(runtime), loop_(std::move(loop)) {}
  Result<bool> next(Value& item) override {
    LLM_ASSIGN_OR_RETURN(const bool more, static_cast<LoopContext&>(*loop_).next(item));
    if (more) item = runtime_.tuple({item, Value::object(loop_)});
    return more;
  }

 private:
  Runtime& runtime_;
  std::shared_ptr<Object> loop_;
};

}  // namespace

std::unique_ptr<Iterator> iterate_if(Interpreter& interpreter, const LoopStatement& loop,
                                     const std::shared_ptr<Frame>& outer,
                                     std::unique_ptr<Iterator> iterator) {
  if (!loop.condition) return iterator;
  return std::make_unique<FilteredIterator>(interpreter, loop, outer, std::move(iterator));
}

LoopContext::LoopContext(Interpreter& interpreter, const LoopStatement& loop,
                         std::shared_ptr<Frame> outer, Value iterable,
                         std::unique_ptr<Iterator> iterator, int depth)
    : Object(iterable.nesting() + 1),
      interpreter_(interpreter),
      loop_(loop),
      outer_(std::move(outer)),
      iterable_(std::move(iterable)),
      iterator_(std::move(iterator)),
      depth_(depth) {
  interpreter_.runtime().budget.nest(nesting());
}

void LoopContext::clear() {
  outer_.reset();
  iterable_ = Value::none();
  iterator_ = std::make_unique<ListIterator>(std::vector<Value>());
  for (Value* value : {&after_, &current_, &before_, &last_changed_}) *value = Value();
}

std::unique_ptr<Iterator> LoopContext::iterate(Runtime& runtime) {
  return std::make_unique<LoopIterator>(runtime, shared_from_this());
}

Result<bool> LoopContext::next(Value& item) {
  if (peeked_) {
    if (after_.is_missing()) return false;
    item = std::move(after_);
    after_ = Value();
    peeked_ = false;
  } else {
    LLM_ASSIGN_OR_RETURN(const bool more, iterator_->next(item));
    if (!more) return false;
  }
  ++index_;
  before_ = std::move(current_);
  current_ = item;
  return true;
}

Status LoopContext::peek() {
  if (peeked_ && !after_.is_missing()) return {};
  Value item;
  LLM_ASSIGN_OR_RETURN(const bool more, iterator_->next(item));
  after_ = more ? std::move(item) : Value();
  peeked_ = true;
  return {};
}

Result<std::optional<std::int64_t>> LoopContext::length() {
  if (length_) return length_;
  if (!loop_.condition) {
    LLM_ASSIGN_OR_RETURN(length_, length_of(iterable_));
    if (length_) return length_;
  }
  std::vector<Value> rest;
  Value item;
  for (;;) {
    LLM_ASSIGN_OR_RETURN(const bool more, iterator_->next(item));
    if (!more) break;
    rest.push_back(item);
    Budget& budget = interpreter_.runtime().budget;
    if (!budget.spend() || !budget.admits(rest.size() * sizeof(Value))) return budget.status();
  }
  const bool ahead = peeked_ && !after_.is_missing();
  length_ = static_cast<std::int64_t>(rest.size()) + index_ + 1 + (ahead ? 1 : 0);
  iterator_ = std::make_unique<ListIterator>(std::move(rest));
  return length_;
}

Result<std::string> LoopContext::repr(Runtime&) {
  LLM_ASSIGN_OR_RETURN(const auto size, length());
  return fmt::format("<LoopContext {}/{}>", index_ + 1, size.value_or(0));
}

Result<Value> LoopContext::call(Runtime& runtime, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("loop", arguments, {"iterable"}, 1));
  if (!loop_.recursive) {
    return core::invalid_argument(
        "The loop must have the 'recursive' marker to be called recursively.");
  }
  LLM_ASSIGN_OR_RETURN(std::string text,
                       interpreter_.run_recursive_loop(loop_, given[0], outer_, depth_ + 1));
  return runtime.text(std::move(text));
}

Result<Value> LoopContext::cycle(const Arguments& arguments) const {
  if (arguments.positional.empty()) return core::invalid_argument("no items for cycling given");
  const auto count = static_cast<std::int64_t>(arguments.positional.size());
  const std::int64_t at = ((index_ % count) + count) % count;
  return arguments.positional[static_cast<std::size_t>(at)];
}

Result<Value> LoopContext::changed(Runtime& runtime, const Arguments& arguments) {
  Value now = runtime.tuple(arguments.positional);
  if (!last_changed_.is_missing() && equal(last_changed_, now, &runtime.budget)) {
    return Value::boolean(false);
  }
  // The value may hold this loop.
  if (last_changed_.is_missing()) runtime.own(shared_from_this());
  last_changed_ = std::move(now);
  return Value::boolean(true);
}

Result<Value> LoopContext::attribute(Runtime& runtime, std::string_view name) {
  if (name == "index0") return Value::integer(index_);
  if (name == "index") return Value::integer(index_ + 1);
  if (name == "first") return Value::boolean(index_ == 0);
  if (name == "depth0") return Value::integer(depth_);
  if (name == "depth") return Value::integer(depth_ + 1);
  if (name == "previtem") {
    return index_ == 0 ? Value::undefined("there is no previous item") : before_;
  }
  if (name == "last" || name == "nextitem") {
    LLM_RETURN_IF_ERROR(peek());
    if (name == "last") return Value::boolean(after_.is_missing());
    return after_.is_missing() ? Value::undefined("there is no next item") : after_;
  }
  if (name == "length" || name == "revindex" || name == "revindex0") {
    LLM_ASSIGN_OR_RETURN(const auto size, length());
    const std::int64_t all = size.value_or(0);
    if (name == "length") return Value::integer(all);
    return Value::integer(all - index_ - (name == "revindex" ? 0 : 1));
  }
  // The functions keep the loop alive: it may have ended when they are called.
  const auto self = std::static_pointer_cast<LoopContext>(shared_from_this());
  if (name == "cycle") {
    return runtime.object<Function>(
        "cycle", [self](Runtime&, const Arguments& given) { return self->cycle(given); });
  }
  if (name == "changed") {
    return runtime.object<Function>(
        "changed", [self](Runtime& r, const Arguments& given) { return self->changed(r, given); });
  }
  return Value();
}

}  // namespace llm::chat
