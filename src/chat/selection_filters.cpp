// Filters that apply a filter or a test to every item: map, select, reject, selectattr, rejectattr.
// They give generators, in which an error shows when its item is reached.
#include <array>

#include "chat/arguments.h"
#include "chat/attributes.h"
#include "chat/checks.h"
#include "chat/filters.h"
#include "chat/iterate.h"
#include "chat/operators.h"
#include "core/error.h"

namespace llm::chat {
namespace {

// The name of a filter or test among the arguments.
Result<std::string> name_argument(const Value& name, std::string_view kind) {
  if (name.is_undefined()) {
    return core::invalid_argument("{}; is the name of the {} in quotes?", name.why_undefined(),
                                  kind);
  }
  if (!name.is_text()) {
    return core::invalid_argument("the name of a {} must be text, not {}", kind, name.type_name());
  }
  return name.bytes();
}

// Calls `each` with every item of the input; nothing is looked at when the input is false.
template <class Each>
Status for_each(Runtime& runtime, const Value& input, const Each& each) {
  LLM_ASSIGN_OR_RETURN(const auto iterator, iterate(runtime, input));
  Value item;
  for (;;) {
    LLM_ASSIGN_OR_RETURN(const bool more, iterator->next(item));
    if (!more) return {};
    if (!runtime.budget.spend()) return runtime.budget.status();
    LLM_RETURN_IF_ERROR(each(item));
    if (runtime.budget.exhausted()) return runtime.budget.status();
  }
}

Status map_attribute(Runtime& runtime, const Value& input, const Arguments& arguments,
                     std::vector<Value>& out) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("map", arguments, {"attribute", "default"}, 1));
  return for_each(runtime, input, [&](const Value& item) -> Status {
    LLM_ASSIGN_OR_RETURN(Value found, follow_path(runtime, item, given[0], given[1]));
    out.push_back(std::move(found));
    return {};
  });
}

Status map_filter(Runtime& runtime, const Value& input, const Arguments& arguments,
                  std::vector<Value>& out) {
  if (arguments.positional.empty()) {
    return core::invalid_argument("map requires a filter argument");
  }
  Arguments rest = arguments;
  const Value name = rest.positional.front();
  rest.positional.erase(rest.positional.begin());
  return for_each(runtime, input, [&](const Value& item) -> Status {
    LLM_ASSIGN_OR_RETURN(const std::string text, name_argument(name, "filter"));
    const Filter* filter = find_filter(text);
    if (filter == nullptr) return core::invalid_argument("{}", unknown_filter(text));
    LLM_ASSIGN_OR_RETURN(Value result, filter->apply(runtime, item, rest));
    out.push_back(std::move(result));
    return {};
  });
}

Result<Value> map(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const auto by_name = [&](const auto& named) { return named.first == "attribute"; };
  const bool attribute = arguments.positional.empty() &&
                         std::any_of(arguments.named.begin(), arguments.named.end(), by_name);
  std::vector<Value> out;
  LLM_ASSIGN_OR_RETURN(const bool any, truth(input));
  Status failure = !any        ? Status()
                   : attribute ? map_attribute(runtime, input, arguments, out)
                               : map_filter(runtime, input, arguments, out);
  return runtime.object<Generator>(std::move(out), std::move(failure), "generator",
                                   &runtime.budget);
}

Status choose(Runtime& runtime, const Value& input, const Arguments& arguments, bool wanted,
              bool by_attribute, std::vector<Value>& out) {
  Arguments rest = arguments;
  const auto take = [&] {
    Value taken;
    if (!rest.positional.empty()) {
      taken = rest.positional.front();
      rest.positional.erase(rest.positional.begin());
    }
    return taken;
  };
  Value path;
  if (by_attribute) {
    path = take();
    if (path.is_missing()) return core::invalid_argument("Missing parameter for attribute name");
  }
  const Value name = take();
  return for_each(runtime, input, [&](const Value& item) -> Status {
    LLM_ASSIGN_OR_RETURN(const Value tested, follow_path(runtime, item, path));
    bool passed = false;
    if (name.is_missing()) {
      LLM_ASSIGN_OR_RETURN(passed, truth(tested));
    } else {
      LLM_ASSIGN_OR_RETURN(const std::string text, name_argument(name, "test"));
      const Check* check = find_check(text);
      if (check == nullptr) return core::invalid_argument("{}", unknown_check(text));
      LLM_ASSIGN_OR_RETURN(passed, check->apply(runtime, tested, rest));
    }
    if (passed == wanted) out.push_back(item);
    return {};
  });
}

template <bool kWanted, bool kByAttribute>
Result<Value> chosen(Runtime& runtime, const Value& input, const Arguments& arguments) {
  std::vector<Value> out;
  LLM_ASSIGN_OR_RETURN(const bool any, truth(input));
  Status failure;
  if (any) failure = choose(runtime, input, arguments, kWanted, kByAttribute, out);
  return runtime.object<Generator>(std::move(out), std::move(failure), "generator",
                                   &runtime.budget);
}

constexpr std::array kFilters = {
    Filter{"map", map},
    Filter{"reject", chosen<false, false>},
    Filter{"rejectattr", chosen<false, true>},
    Filter{"select", chosen<true, false>},
    Filter{"selectattr", chosen<true, true>},
};

}  // namespace

std::span<const Filter> selection_filters() { return kFilters; }

}  // namespace llm::chat
