#include "chat/iterate.h"

#include <fmt/core.h>

#include <algorithm>

#include "chat/python_text.h"
#include "core/error.h"
#include "core/utf8.h"

namespace llm::chat {
namespace {

class EmptyIterator final : public Iterator {
  Result<bool> next(Value&) override { return false; }
};

class TextIterator final : public Iterator {
 public:
  TextIterator(Runtime& runtime, Value text) : runtime_(runtime), text_(std::move(text)) {}

  Result<bool> next(Value& item) override {
    const std::string& bytes = text_.bytes();
    if (at_ >= bytes.size()) return false;
    const std::size_t length = core::utf8_length(bytes[at_]);
    item = runtime_.text(bytes.substr(at_, length));
    at_ += length;
    return true;
  }

 private:
  Runtime& runtime_;
  Value text_;
  std::size_t at_ = 0;
};

class SequenceIterator final : public Iterator {
 public:
  explicit SequenceIterator(Value sequence) : sequence_(std::move(sequence)) {}

  Result<bool> next(Value& item) override {
    if (at_ >= sequence_.items().size()) return false;
    item = sequence_.items()[at_++];
    return true;
  }

 private:
  Value sequence_;
  std::size_t at_ = 0;
};

class MappingIterator final : public Iterator {
 public:
  MappingIterator(Runtime& runtime, Value mapping, MappingView::Part part)
      : runtime_(runtime), mapping_(std::move(mapping)), part_(part) {}

  Result<bool> next(Value& item) override {
    const auto& entries = mapping_.as_mapping().entries();
    if (at_ >= entries.size()) return false;
    const auto& [key, value] = entries[at_++];
    item = part_ == MappingView::Part::keys     ? key
           : part_ == MappingView::Part::values ? value
                                                : runtime_.tuple({key, value});
    return true;
  }

 private:
  Runtime& runtime_;
  Value mapping_;
  MappingView::Part part_;
  std::size_t at_ = 0;
};

class RangeIterator final : public Iterator {
 public:
  RangeIterator(std::int64_t start, std::int64_t step, std::int64_t size)
      : start_(start), step_(step), size_(size) {}

  Result<bool> next(Value& item) override {
    if (at_ >= size_) return false;
    item = Value::integer(start_ + step_ * at_++);
    return true;
  }

 private:
  std::int64_t start_;
  std::int64_t step_;
  std::int64_t size_;
  std::int64_t at_ = 0;
};

class GeneratorIterator final : public Iterator {
 public:
  explicit GeneratorIterator(std::shared_ptr<Object> generator)
      : generator_(std::move(generator)) {}
  Result<bool> next(Value& item) override {
    return static_cast<Generator&>(*generator_).next(item);
  }

 private:
  std::shared_ptr<Object> generator_;
};

}  // namespace

Result<std::unique_ptr<Iterator>> iterate(Runtime& runtime, const Value& value) {
  using Made = std::unique_ptr<Iterator>;
  switch (value.kind()) {
    case Value::Kind::undefined:
      return Made(std::make_unique<EmptyIterator>());
    case Value::Kind::text:
      return Made(std::make_unique<TextIterator>(runtime, value));
    case Value::Kind::list:
    case Value::Kind::tuple:
      return Made(std::make_unique<SequenceIterator>(value));
    case Value::Kind::mapping:
      return Made(std::make_unique<MappingIterator>(runtime, value, MappingView::Part::keys));
    case Value::Kind::object:
      if (Made iterator = value.as_object().iterate(runtime)) return iterator;
      break;
    default:
      break;
  }
  return core::invalid_argument("'{}' object is not iterable", value.type_name());
}

Result<std::vector<Value>> to_items(Runtime& runtime, const Value& value) {
  if (value.is_sequence()) {
    if (!runtime.budget.admits(value.items().size() * sizeof(Value))) {
      return runtime.budget.status();
    }
    return value.items();
  }
  LLM_ASSIGN_OR_RETURN(const auto iterator, iterate(runtime, value));
  std::vector<Value> items;
  Value item;
  for (;;) {
    LLM_ASSIGN_OR_RETURN(const bool more, iterator->next(item));
    if (!more) return items;
    items.push_back(std::move(item));
    if (!runtime.budget.spend() || !runtime.budget.admits(items.size() * sizeof(Value))) {
      return runtime.budget.status();
    }
  }
}

bool is_iterable(Runtime& runtime, const Value& value) {
  return iterate(runtime, value).has_value();
}

Result<std::optional<std::int64_t>> length_of(const Value& value) {
  const auto size = [](std::size_t count) {
    return std::optional(static_cast<std::int64_t>(count));
  };
  switch (value.kind()) {
    case Value::Kind::undefined:
      return size(0);
    case Value::Kind::text:
      return std::optional(value.as_text().length);
    case Value::Kind::list:
    case Value::Kind::tuple:
      return size(value.items().size());
    case Value::Kind::mapping:
      return size(value.as_mapping().size());
    case Value::Kind::object:
      return value.as_object().length();
    default:
      return std::optional<std::int64_t>();
  }
}

Result<std::int64_t> length(const Value& value) {
  LLM_ASSIGN_OR_RETURN(const auto found, length_of(value));
  if (!found) return core::invalid_argument("object of type '{}' has no len()", value.type_name());
  return *found;
}

Result<std::string> Range::repr(Runtime&) {
  return step_ == 1 ? fmt::format("range({}, {})", start_, stop_)
                    : fmt::format("range({}, {}, {})", start_, stop_, step_);
}

// How many steps `to` is away from `from`, rounded down; unsigned, as the distance of two integers
// may have 64 bits.
static std::uint64_t steps_between(std::int64_t from, std::int64_t to, std::int64_t step,
                                   bool& exact) {
  const auto bits = [](std::int64_t value) { return static_cast<std::uint64_t>(value); };
  const std::uint64_t distance = step > 0 ? bits(to) - bits(from) : bits(from) - bits(to);
  const std::uint64_t stride = step > 0 ? bits(step) : 0 - bits(step);
  exact = distance % stride == 0;
  return distance / stride;
}

std::int64_t Range::size() const {
  if (step_ > 0 ? start_ >= stop_ : start_ <= stop_) return 0;
  bool exact = false;
  const std::uint64_t whole = steps_between(start_, stop_, step_, exact);
  return static_cast<std::int64_t>(whole + (exact ? 0 : 1));
}

bool Range::contains(std::int64_t number) const {
  if (step_ > 0 ? number < start_ || number >= stop_ : number > start_ || number <= stop_) {
    return false;
  }
  bool exact = false;
  (void)steps_between(start_, number, step_, exact);
  return exact;
}

std::unique_ptr<Iterator> Range::iterate(Runtime&) {
  return std::make_unique<RangeIterator>(start_, step_, size());
}

bool Range::equals(const Object& other) const {
  const auto* range = dynamic_cast<const Range*>(&other);
  if (range == nullptr || range->size() != size()) return false;
  return size() == 0 || (range->start_ == start_ && (size() == 1 || range->step_ == step_));
}

std::string_view MappingView::type_name() const {
  return part_ == Part::keys ? "dict_keys" : part_ == Part::values ? "dict_values" : "dict_items";
}

Result<std::string> MappingView::repr(Runtime& runtime) {
  LLM_ASSIGN_OR_RETURN(std::vector<Value> items,
                       to_items(runtime, Value::object(shared_from_this())));
  LLM_ASSIGN_OR_RETURN(const std::string list,
                       llm::chat::repr(runtime, runtime.list(std::move(items))));
  return fmt::format("{}({})", type_name(), list);
}

Result<std::optional<std::int64_t>> MappingView::length() {
  return std::optional(static_cast<std::int64_t>(mapping_.as_mapping().size()));
}

std::unique_ptr<Iterator> MappingView::iterate(Runtime& runtime) {
  return std::make_unique<MappingIterator>(runtime, mapping_, part_);
}

Generator::Generator(std::vector<Value> items, Status failure, std::string_view type_name,
                     Budget* budget)
    : Object([&] {
        int deepest = 0;
        for (const Value& item : items) deepest = std::max(deepest, item.nesting());
        return deepest + 1;
      }()),
      items_(std::move(items)),
      failure_(std::move(failure)),
      type_name_(type_name),
      charge_(budget, items_.size() * sizeof(Value)) {
  if (budget != nullptr) budget->nest(nesting());
}

Result<std::string> Generator::repr(Runtime&) { return fmt::format("<{} object>", type_name_); }

std::unique_ptr<Iterator> Generator::iterate(Runtime&) {
  return std::make_unique<GeneratorIterator>(shared_from_this());
}

Result<bool> Generator::next(Value& item) {
  if (at_ < items_.size()) {
    item = items_[at_++];
    return true;
  }
  if (!failure_.ok()) return std::exchange(failure_, Status());
  return false;
}

}  // namespace llm::chat
