#include "chat/macro.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/error.h"

namespace llm::chat {

Macro::Macro(Interpreter& interpreter, const Procedure& procedure, std::shared_ptr<Frame> outer)
    : interpreter_(interpreter),
      procedure_(procedure),
      outer_(std::move(outer)),
      // With the frame that it keeps alive.
      charge_(&interpreter.runtime().budget, 256 + outer_->slots.size() * sizeof(Value)) {}

Result<std::string> Macro::repr(Runtime&) {
  return procedure_.name.empty() ? std::string("<Macro anonymous>")
                                 : fmt::format("<Macro '{}'>", procedure_.name);
}

Result<Value> Macro::attribute(Runtime& runtime, std::string_view name) {
  if (name == "name") {
    return procedure_.name.empty() ? Value::none() : runtime.text(procedure_.name);
  }
  if (name == "arguments") {
    std::vector<Value> names;
    for (const std::string& parameter : procedure_.parameters)
      names.push_back(runtime.text(parameter));
    return runtime.tuple(std::move(names));
  }
  if (name == "catch_kwargs") return Value::boolean(procedure_.kwargs_index >= 0);
  if (name == "catch_varargs") return Value::boolean(procedure_.varargs_index >= 0);
  if (name == "caller") return Value::boolean(procedure_.caller_index >= 0);
  return Value();
}

Status Macro::bind_parameters(Runtime& runtime, const Arguments& arguments,
                              const std::shared_ptr<Frame>& frame) const {
  const auto place = [&](int index) -> Value& {
    return frame->slots[static_cast<std::size_t>(index)];
  };
  const std::string shown = procedure_.name.empty() ? "None" : fmt::format("'{}'", procedure_.name);
  const std::size_t count = procedure_.parameters.size();
  const std::size_t by_position = std::min(count, arguments.positional.size());
  std::vector<std::pair<std::string, Value>> named = arguments.named;
  const auto take = [&](std::string_view name) {
    const auto found = std::find_if(named.begin(), named.end(),
                                    [&](const auto& entry) { return entry.first == name; });
    if (found == named.end()) return Value();
    Value value = std::move(found->second);
    named.erase(found);
    return value;
  };
  for (std::size_t i = 0; i < count; ++i) {
    place(procedure_.parameter_index[i]) =
        i < by_position ? arguments.positional[i] : take(procedure_.parameters[i]);
  }
  if (procedure_.caller_index >= 0) {
    const Value caller = take("caller");
    place(procedure_.caller_index) =
        caller.is_missing() || caller.is_none() ? Value::undefined("No caller defined") : caller;
  }
  if (procedure_.kwargs_index >= 0) {
    Mapping rest;
    for (auto& [name, value] : named) rest.set(name, std::move(value));
    place(procedure_.kwargs_index) = runtime.mapping(std::move(rest));
  } else if (!named.empty()) {
    return core::invalid_argument("macro {} takes no keyword argument '{}'", shown,
                                  named.front().first);
  }
  if (procedure_.varargs_index >= 0) {
    const auto first = arguments.positional.begin() + static_cast<std::ptrdiff_t>(by_position);
    place(procedure_.varargs_index) = runtime.tuple({first, arguments.positional.end()});
  } else if (arguments.positional.size() > count) {
    return core::invalid_argument("macro {} takes not more than {} argument(s)", shown, count);
  }
  return {};
}

Result<Value> Macro::call(Runtime& runtime, const Arguments& arguments) {
  const std::shared_ptr<Frame> frame = interpreter_.enter(procedure_.frame, outer_);
  LLM_RETURN_IF_ERROR(bind_parameters(runtime, arguments, frame));
  const std::size_t without_default = procedure_.parameters.size() - procedure_.defaults.size();
  for (std::size_t i = 0; i < procedure_.parameters.size(); ++i) {
    const auto index = static_cast<std::size_t>(procedure_.parameter_index[i]);
    if (!frame->slots[index].is_missing()) continue;
    if (i < without_default) {
      frame->slots[index] = Value::undefined(
          fmt::format("parameter '{}' was not provided", procedure_.parameters[i]));
      continue;
    }
    LLM_ASSIGN_OR_RETURN(Value value,
                         interpreter_.evaluate(*procedure_.defaults[i - without_default], frame));
    frame->slots[index] = std::move(value);
  }
  LLM_ASSIGN_OR_RETURN(std::string text, interpreter_.capture(procedure_.body, frame));
  return runtime.text(std::move(text));
}

}  // namespace llm::chat
