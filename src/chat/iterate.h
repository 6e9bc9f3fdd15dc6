// Going through the items of values as Python does, and the objects that exist to be gone through.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/object.h"
#include "chat/value.h"

namespace llm::chat {

/// An error for what is not iterable.
Result<std::unique_ptr<Iterator>> iterate(Runtime& runtime, const Value& value);
/// All items at once.
Result<std::vector<Value>> to_items(Runtime& runtime, const Value& value);
bool is_iterable(Runtime& runtime, const Value& value);
/// Python's len(); nothing for what has none.
Result<std::optional<std::int64_t>> length_of(const Value& value);
/// The same, with an error for what has none.
Result<std::int64_t> length(const Value& value);

/// range(start, stop, step)
class Range final : public Object {
 public:
  Range(std::int64_t start, std::int64_t stop, std::int64_t step)
      : start_(start), stop_(stop), step_(step) {}
  std::string_view type_name() const override { return "range"; }
  Result<std::string> repr(Runtime& runtime) override;
  Result<std::optional<std::int64_t>> length() override { return std::optional(size()); }
  std::unique_ptr<Iterator> iterate(Runtime& runtime) override;
  bool equals(const Object& other) const override;

  std::int64_t size() const;
  std::int64_t start() const { return start_; }
  std::int64_t step() const { return step_; }
  std::int64_t at(std::int64_t index) const { return start_ + index * step_; }
  bool contains(std::int64_t number) const;

 private:
  std::int64_t start_;
  std::int64_t stop_;
  std::int64_t step_;
};

/// dict.keys(), dict.values(), dict.items()
class MappingView final : public Object {
 public:
  enum class Part : std::uint8_t { keys, values, items };
  MappingView(Value mapping, Part part)
      : Object(mapping.nesting() + 1), mapping_(std::move(mapping)), part_(part) {}
  std::string_view type_name() const override;
  Result<std::string> repr(Runtime& runtime) override;
  Result<std::optional<std::int64_t>> length() override;
  std::unique_ptr<Iterator> iterate(Runtime& runtime) override;

  const Value& mapping() const { return mapping_; }
  Part part() const { return part_; }

 private:
  Value mapping_;
  Part part_;
};

/// What filters like `map` give: items that can be gone through once. They were made in advance; an
/// error that came up shows when its place is reached.
class Generator final : public Object {
 public:
  Generator(std::vector<Value> items, Status failure, std::string_view type_name = "generator",
            Budget* budget = nullptr);
  std::string_view type_name() const override { return type_name_; }
  Result<std::string> repr(Runtime& runtime) override;
  std::unique_ptr<Iterator> iterate(Runtime& runtime) override;

  Result<bool> next(Value& item);

 private:
  std::vector<Value> items_;
  std::size_t at_ = 0;
  Status failure_;
  std::string_view type_name_;
  Charge charge_;
};

}  // namespace llm::chat
