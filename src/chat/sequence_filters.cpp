// Filters that work on sequences as a whole.
#include <algorithm>
#include <array>

#include "chat/arguments.h"
#include "chat/attributes.h"
#include "chat/filters.h"
#include "chat/iterate.h"
#include "chat/operators.h"
#include "chat/python_text.h"
#include "chat/unicode.h"
#include "core/error.h"

namespace llm::chat {
namespace {

Value generator(Runtime& runtime, std::vector<Value> items, Status failure = {},
                std::string_view type_name = "generator") {
  return runtime.object<Generator>(std::move(items), std::move(failure), type_name,
                                   &runtime.budget);
}

Result<Value> count(Runtime&, const Value& input, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("length", arguments, {}, 0).status());
  LLM_ASSIGN_OR_RETURN(const std::int64_t size, length(input));
  return Value::integer(size);
}

Result<Value> to_list(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("list", arguments, {}, 0).status());
  LLM_ASSIGN_OR_RETURN(std::vector<Value> items, to_items(runtime, input));
  return runtime.list(std::move(items));
}

Result<Value> first(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("first", arguments, {}, 0).status());
  LLM_ASSIGN_OR_RETURN(const auto iterator, iterate(runtime, input));
  Value item;
  LLM_ASSIGN_OR_RETURN(const bool found, iterator->next(item));
  return found ? item : Value::undefined("No first item, sequence was empty.");
}

// What Python's reversed() takes.
bool is_reversible(const Value& value) {
  return value.is_undefined() || value.is_text() || value.is_sequence() || value.is_mapping() ||
         value.as<Range>() != nullptr || value.as<MappingView>() != nullptr;
}

Result<Value> last(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("last", arguments, {}, 0).status());
  if (!is_reversible(input)) {
    return core::invalid_argument("'{}' object is not reversible", input.type_name());
  }
  LLM_ASSIGN_OR_RETURN(const std::vector<Value> items, to_items(runtime, input));
  return items.empty() ? Value::undefined("No last item, sequence was empty.") : items.back();
}

Result<Value> reverse(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("reverse", arguments, {}, 0).status());
  if (input.is_text()) {
    std::vector<char32_t> points = code_points(input.bytes());
    std::reverse(points.begin(), points.end());
    return runtime.text(from_code_points(points));
  }
  LLM_ASSIGN_OR_RETURN(std::vector<Value> items, to_items(runtime, input));
  std::reverse(items.begin(), items.end());
  if (!is_reversible(input)) return runtime.list(std::move(items));
  return generator(runtime, std::move(items), {}, "reversed");
}

Result<Value> join(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("join", arguments, {"d", "attribute"}, 0));
  std::string separator;
  if (!given[0].is_missing()) {
    LLM_ASSIGN_OR_RETURN(separator, to_text(runtime, given[0]));
  }
  LLM_ASSIGN_OR_RETURN(const std::vector<Value> items, to_items(runtime, input));
  std::string out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    LLM_ASSIGN_OR_RETURN(const Value item, follow_path(runtime, items[i], given[1]));
    LLM_ASSIGN_OR_RETURN(const std::string text, to_text(runtime, item));
    if (i > 0) out += separator;
    out += text;
    if (!runtime.budget.spend() || !runtime.budget.admits(out.size())) {
      return runtime.budget.status();
    }
  }
  return runtime.text(std::move(out));
}

// The keys by which items are compared: an attribute of theirs, without regard to case unless
// asked. `many`: the path may be several, separated by commas, and the keys are lists.
Result<std::vector<Value>> keys_of(Runtime& runtime, const std::vector<Value>& items,
                                   const Value& path, bool case_sensitive, bool many,
                                   const Value& otherwise = {}) {
  std::vector<Value> paths = {path};
  if (many && path.is_text()) {
    paths.clear();
    std::string_view rest = path.bytes();
    for (;;) {
      const std::size_t comma = rest.find(',');
      paths.push_back(Value::text(std::string(rest.substr(0, comma))));
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  std::vector<Value> keys;
  for (const Value& item : items) {
    if (!runtime.budget.spend()) return runtime.budget.status();
    std::vector<Value> parts;
    for (const Value& one : paths) {
      LLM_ASSIGN_OR_RETURN(Value key, follow_path(runtime, item, one, otherwise));
      if (!case_sensitive && key.is_text()) key = runtime.text(to_lower(key.bytes()));
      parts.push_back(std::move(key));
    }
    keys.push_back(many ? runtime.list(std::move(parts)) : std::move(parts.front()));
  }
  return keys;
}

Result<Value> sort(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given,
                       bind("sort", arguments, {"reverse", "case_sensitive", "attribute"}, 0));
  LLM_ASSIGN_OR_RETURN(const bool backwards, truth_or(given[0], false));
  LLM_ASSIGN_OR_RETURN(const bool case_sensitive, truth_or(given[1], false));
  LLM_ASSIGN_OR_RETURN(std::vector<Value> items, to_items(runtime, input));
  LLM_ASSIGN_OR_RETURN(const std::vector<Value> keys,
                       keys_of(runtime, items, given[2], case_sensitive, true));
  LLM_ASSIGN_OR_RETURN(items, sorted(runtime, std::move(items), keys, backwards));
  return runtime.list(std::move(items));
}

Result<Value> unique(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given,
                       bind("unique", arguments, {"case_sensitive", "attribute"}, 0));
  LLM_ASSIGN_OR_RETURN(const bool case_sensitive, truth_or(given[0], false));
  std::vector<Value> kept;
  const auto collect = [&]() -> Status {
    LLM_ASSIGN_OR_RETURN(const std::vector<Value> items, to_items(runtime, input));
    LLM_ASSIGN_OR_RETURN(const std::vector<Value> keys,
                         keys_of(runtime, items, given[1], case_sensitive, false));
    Mapping seen;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (!is_hashable(keys[i])) {
        return core::invalid_argument("unhashable type: '{}'", keys[i].type_name());
      }
      if (seen.find(keys[i], &runtime.budget) != nullptr) continue;
      seen.set(keys[i], Value::none(), &runtime.budget);
      kept.push_back(items[i]);
    }
    return {};
  };
  Status failure = collect();
  return generator(runtime, std::move(kept), std::move(failure));
}

Result<Value> extreme(Runtime& runtime, const Value& input, const Arguments& arguments,
                      bool largest) {
  LLM_ASSIGN_OR_RETURN(const auto given,
                       bind("min", arguments, {"case_sensitive", "attribute"}, 0));
  LLM_ASSIGN_OR_RETURN(const bool case_sensitive, truth_or(given[0], false));
  LLM_ASSIGN_OR_RETURN(const std::vector<Value> items, to_items(runtime, input));
  if (items.empty()) return Value::undefined("No aggregated item, sequence was empty.");
  LLM_ASSIGN_OR_RETURN(const std::vector<Value> keys,
                       keys_of(runtime, items, given[1], case_sensitive, false));
  std::size_t best = 0;
  for (std::size_t i = 1; i < items.size(); ++i) {
    LLM_ASSIGN_OR_RETURN(const bool better, largest ? less(runtime, keys[best], keys[i])
                                                    : less(runtime, keys[i], keys[best]));
    if (better) best = i;
  }
  return items[best];
}

Result<Value> minimum(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return extreme(runtime, input, arguments, false);
}
Result<Value> maximum(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return extreme(runtime, input, arguments, true);
}

Result<Value> sum(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("sum", arguments, {"attribute", "start"}, 0));
  Value total = given[1].is_missing() ? Value::integer(0) : given[1];
  if (total.is_text()) return core::invalid_argument("sum() can't sum strings");
  LLM_ASSIGN_OR_RETURN(const std::vector<Value> items, to_items(runtime, input));
  for (const Value& item : items) {
    LLM_ASSIGN_OR_RETURN(const Value term, follow_path(runtime, item, given[0]));
    LLM_ASSIGN_OR_RETURN(total,
                         arithmetic(runtime, ArithmeticExpression::Operator::add, total, term));
  }
  return total;
}

Result<Value> items_of(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("items", arguments, {}, 0).status());
  if (input.is_undefined()) return generator(runtime, {});
  if (!input.is_mapping()) {
    return generator(runtime, {},
                     core::invalid_argument("only a dict has items, not {}", input.type_name()));
  }
  LLM_ASSIGN_OR_RETURN(
      std::vector<Value> items,
      to_items(runtime, runtime.object<MappingView>(input, MappingView::Part::items)));
  return generator(runtime, std::move(items));
}

Result<Value> dictsort(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given,
                       bind("dictsort", arguments, {"case_sensitive", "by", "reverse"}, 0));
  LLM_ASSIGN_OR_RETURN(const bool case_sensitive, truth_or(given[0], false));
  LLM_ASSIGN_OR_RETURN(const std::string by, text_or(given[1], "key", "dictsort"));
  LLM_ASSIGN_OR_RETURN(const bool backwards, truth_or(given[2], false));
  if (by != "key" && by != "value") {
    return core::invalid_argument("You can only sort by either \"key\" or \"value\"");
  }
  if (!input.is_mapping()) {
    return core::invalid_argument("dictsort wants a dict, not {}", input.type_name());
  }
  LLM_ASSIGN_OR_RETURN(
      std::vector<Value> items,
      to_items(runtime, runtime.object<MappingView>(input, MappingView::Part::items)));
  LLM_ASSIGN_OR_RETURN(
      const std::vector<Value> keys,
      keys_of(runtime, items, Value::integer(by == "key" ? 0 : 1), case_sensitive, false));
  LLM_ASSIGN_OR_RETURN(items, sorted(runtime, std::move(items), keys, backwards));
  return runtime.list(std::move(items));
}

Result<Value> groupby(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given,
                       bind("groupby", arguments, {"attribute", "default", "case_sensitive"}, 1));
  LLM_ASSIGN_OR_RETURN(const bool case_sensitive, truth_or(given[2], false));
  LLM_ASSIGN_OR_RETURN(std::vector<Value> items, to_items(runtime, input));
  LLM_ASSIGN_OR_RETURN(std::vector<Value> keys,
                       keys_of(runtime, items, given[0], case_sensitive, false, given[1]));
  LLM_ASSIGN_OR_RETURN(items, sorted(runtime, std::move(items), keys, false));
  LLM_ASSIGN_OR_RETURN(keys, sorted(runtime, keys, keys, false));
  std::vector<Value> groups;
  for (std::size_t begin = 0; begin < items.size();) {
    std::size_t end = begin + 1;
    while (end < items.size() && equal(keys[begin], keys[end], &runtime.budget)) ++end;
    const std::vector<Value> group(items.begin() + static_cast<std::ptrdiff_t>(begin),
                                   items.begin() + static_cast<std::ptrdiff_t>(end));
    // The key as the first item of the group spells it.
    LLM_ASSIGN_OR_RETURN(const std::vector<Value> spelled,
                         keys_of(runtime, {group.front()}, given[0], true, false, given[1]));
    groups.push_back(Value::tuple({spelled.front(), runtime.list(group)}, &runtime.budget,
                                  /*is_group=*/true));
    begin = end;
  }
  return runtime.list(std::move(groups));
}

Result<Value> batch(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("batch", arguments, {"linecount", "fill_with"}, 1));
  std::vector<Value> lines;
  const auto collect = [&]() -> Status {
    LLM_ASSIGN_OR_RETURN(const std::vector<Value> items, to_items(runtime, input));
    LLM_ASSIGN_OR_RETURN(const std::int64_t size, integer_or(given[0], 0, "batch"));
    std::vector<Value> line;
    for (const Value& item : items) {
      if (static_cast<std::int64_t>(line.size()) == size) {
        lines.push_back(runtime.list(std::move(line)));
        line.clear();
      }
      line.push_back(item);
    }
    if (line.empty()) return {};
    if (!given[1].is_missing() && !given[1].is_none() &&
        static_cast<std::int64_t>(line.size()) < size) {
      const auto full = static_cast<std::size_t>(size);
      if (full > runtime.budget.limits().memory_bytes ||
          !runtime.budget.admits(full * sizeof(Value))) {
        return core::resource_exhausted("a batch of {} items takes too much memory", size);
      }
      line.resize(full, given[1]);
    }
    lines.push_back(runtime.list(std::move(line)));
    return {};
  };
  Status failure = collect();
  return generator(runtime, std::move(lines), std::move(failure));
}

Result<Value> slice(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("slice", arguments, {"slices", "fill_with"}, 1));
  std::vector<Value> columns;
  const auto collect = [&]() -> Status {
    LLM_ASSIGN_OR_RETURN(const std::vector<Value> items, to_items(runtime, input));
    LLM_ASSIGN_OR_RETURN(const std::int64_t count, integer_or(given[0], 0, "slice"));
    if (count == 0) return core::invalid_argument("integer division or modulo by zero");
    if (count < 0) return {};
    const auto size = static_cast<std::int64_t>(items.size());
    const std::int64_t longer = size % count;
    auto at = items.begin();
    for (std::int64_t i = 0; i < count; ++i) {
      if (!runtime.budget.spend()) return runtime.budget.status();
      const auto end = at + (size / count + (i < longer ? 1 : 0));
      std::vector<Value> column(at, end);
      at = end;
      if (!given[1].is_missing() && !given[1].is_none() && i >= longer) column.push_back(given[1]);
      columns.push_back(runtime.list(std::move(column)));
      if (runtime.budget.exhausted()) return runtime.budget.status();
    }
    return {};
  };
  Status failure = collect();
  return generator(runtime, std::move(columns), std::move(failure));
}

constexpr std::array kFilters = {
    Filter{"batch", batch},     Filter{"count", count},     Filter{"dictsort", dictsort},
    Filter{"first", first},     Filter{"groupby", groupby}, Filter{"items", items_of},
    Filter{"join", join},       Filter{"last", last},       Filter{"length", count},
    Filter{"list", to_list},    Filter{"max", maximum},     Filter{"min", minimum},
    Filter{"reverse", reverse}, Filter{"slice", slice},     Filter{"sort", sort},
    Filter{"sum", sum},         Filter{"unique", unique},
};

}  // namespace

std::span<const Filter> sequence_filters() { return kFilters; }

}  // namespace llm::chat
