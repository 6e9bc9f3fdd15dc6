// The methods of list, tuple and dict. Those that would change the object are listed without a
// body: the sandbox refuses them.
#include <algorithm>
#include <array>
#include <limits>

#include "chat/arguments.h"
#include "chat/functions.h"
#include "chat/iterate.h"
#include "core/error.h"

namespace llm::chat {
namespace {

Result<Value> count_items(Runtime& runtime, const Value& self, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("count", arguments, {"value"}, 1, false));
  const auto same = [&](const Value& item) {
    return item.same_as(given[0]) || equal(item, given[0], &runtime.budget);
  };
  return Value::integer(std::count_if(self.items().begin(), self.items().end(), same));
}

Result<Value> index_of(Runtime& runtime, const Value& self, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given,
                       bind("index", arguments, {"value", "start", "stop"}, 1, false));
  const auto size = static_cast<std::int64_t>(self.items().size());
  const auto bound = [&](const Value& value, std::int64_t otherwise) -> Result<std::int64_t> {
    LLM_ASSIGN_OR_RETURN(std::int64_t at, integer_or(value, otherwise, "index"));
    if (at < 0) at = std::max<std::int64_t>(at + size, 0);
    return std::min(at, size);
  };
  LLM_ASSIGN_OR_RETURN(std::int64_t at, bound(given[1], 0));
  LLM_ASSIGN_OR_RETURN(const std::int64_t stop, bound(given[2], size));
  for (; at < stop; ++at) {
    const Value& item = self.items()[static_cast<std::size_t>(at)];
    if (item.same_as(given[0]) || equal(item, given[0], &runtime.budget)) return Value::integer(at);
  }
  return core::invalid_argument("the value is not in the {}", self.type_name());
}

Result<Value> copy_itself(Runtime&, const Value& self, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("copy", arguments, {}, 0).status());
  return self;
}

Result<Value> get_value(Runtime& runtime, const Value& self, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("get", arguments, {"key", "default"}, 1, false));
  if (!is_hashable(given[0])) {
    return core::invalid_argument("unhashable type: '{}'", given[0].type_name());
  }
  const Value* found = self.as_mapping().find(given[0], &runtime.budget);
  if (found != nullptr) return *found;
  return given[1].is_missing() ? Value::none() : given[1];
}

template <MappingView::Part kPart>
Result<Value> view(Runtime& runtime, const Value& self, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("dict method", arguments, {}, 0).status());
  return runtime.object<MappingView>(self, kPart);
}

constexpr std::array kListMethods = {
    Method{"append", nullptr},    Method{"clear", nullptr},  Method{"copy", copy_itself},
    Method{"count", count_items}, Method{"extend", nullptr}, Method{"index", index_of},
    Method{"insert", nullptr},    Method{"pop", nullptr},    Method{"remove", nullptr},
    Method{"reverse", nullptr},   Method{"sort", nullptr},
};

constexpr std::array kTupleMethods = {Method{"count", count_items}, Method{"index", index_of}};

constexpr std::array kMappingMethods = {
    Method{"clear", nullptr},
    Method{"copy", copy_itself},
    Method{"get", get_value},
    Method{"items", view<MappingView::Part::items>},
    Method{"keys", view<MappingView::Part::keys>},
    Method{"pop", nullptr},
    Method{"popitem", nullptr},
    Method{"setdefault", nullptr},
    Method{"update", nullptr},
    Method{"values", view<MappingView::Part::values>},
};

template <std::size_t N>
const Method* find_in(const std::array<Method, N>& methods, std::string_view name) {
  const auto found =
      std::find_if(methods.begin(), methods.end(), [&](const Method& m) { return m.name == name; });
  return found == methods.end() ? nullptr : &*found;
}

}  // namespace

const Method* find_list_method(std::string_view name) { return find_in(kListMethods, name); }
const Method* find_tuple_method(std::string_view name) { return find_in(kTupleMethods, name); }
const Method* find_mapping_method(std::string_view name) { return find_in(kMappingMethods, name); }

}  // namespace llm::chat
