// Functions and methods as values.
#pragma once

#include <string>
#include <string_view>

#include "chat/object.h"

namespace llm::chat {

/// A method of one of Python's types. Those without `call` exist, but the sandbox of templates does
/// not let them be used: they would change the object.
struct Method {
  std::string_view name;
  Result<Value> (*call)(Runtime& runtime, const Value& self, const Arguments& arguments);
};

/// Null when the type of `self` has no such method.
const Method* find_method(const Value& self, std::string_view name);
const Method* find_text_method(std::string_view name);
const Method* find_list_method(std::string_view name);
const Method* find_tuple_method(std::string_view name);
const Method* find_mapping_method(std::string_view name);

class BoundMethod final : public Object {
 public:
  BoundMethod(Value self, const Method& method)
      : Object(self.nesting() + 1), self_(std::move(self)), method_(method) {}
  std::string_view type_name() const override { return "builtin_function_or_method"; }
  Result<std::string> repr(Runtime& runtime) override;
  bool callable() const override { return true; }
  Result<Value> call(Runtime& runtime, const Arguments& arguments) override {
    return method_.call(runtime, self_, arguments);
  }
  bool equals(const Object& other) const override;

 private:
  Value self_;
  const Method& method_;
};

class Function final : public Object {
 public:
  using Body = std::function<Result<Value>(Runtime& runtime, const Arguments& arguments)>;
  Function(std::string name, Body body) : name_(std::move(name)), body_(std::move(body)) {}
  std::string_view type_name() const override { return "function"; }
  Result<std::string> repr(Runtime&) override { return "<function " + name_ + ">"; }
  bool callable() const override { return true; }
  Result<Value> call(Runtime& runtime, const Arguments& arguments) override {
    return body_(runtime, arguments);
  }

 private:
  std::string name_;
  Body body_;
};

}  // namespace llm::chat
