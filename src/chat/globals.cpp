#include "chat/globals.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "chat/arguments.h"
#include "chat/functions.h"
#include "chat/iterate.h"
#include "chat/namespace.h"
#include "chat/python_text.h"
#include "core/error.h"
#include "core/quote.h"

namespace llm::chat {
namespace {

constexpr std::int64_t kLongestRange = 100000;  // of Jinja's sandbox

Result<Value> make_range(Runtime& runtime, const Arguments& arguments) {
  if (!arguments.named.empty()) {
    return core::invalid_argument("range() takes no keyword arguments");
  }
  const auto& given = arguments.positional;
  if (given.empty() || given.size() > 3) {
    return core::invalid_argument("range() takes 1 to 3 arguments ({} given)", given.size());
  }
  std::int64_t numbers[3] = {0, 0, 1};
  for (std::size_t i = 0; i < given.size(); ++i) {
    LLM_ASSIGN_OR_RETURN(const std::int64_t number, integer_or(given[i], 0, "range"));
    numbers[given.size() == 1 ? 1 : i] = number;
  }
  if (numbers[2] == 0) return core::invalid_argument("range() arg 3 must not be zero");
  if (numbers[2] == std::numeric_limits<std::int64_t>::min()) ++numbers[2];
  auto range = std::make_shared<Range>(numbers[0], numbers[1], numbers[2]);
  // Longer than int64 can say: negative.
  if (range->size() > kLongestRange || range->size() < 0) {
    return core::invalid_argument("Range too big. At most {} items are allowed.", kLongestRange);
  }
  (void)runtime;
  return Value::object(std::move(range));
}

// dict(pairs or mapping, name=value ...)
Status fill_mapping(Runtime& runtime, const Arguments& arguments, Mapping& entries) {
  if (arguments.positional.size() > 1) {
    return core::invalid_argument("dict expected at most 1 argument, got {}",
                                  arguments.positional.size());
  }
  if (!arguments.positional.empty()) {
    const Value& from = arguments.positional[0];
    if (from.is_mapping()) {
      for (const auto& [key, value] : from.as_mapping().entries()) {
        entries.set(key, value, &runtime.budget);
      }
    } else {
      LLM_ASSIGN_OR_RETURN(const std::vector<Value> pairs, to_items(runtime, from));
      for (const Value& pair : pairs) {
        LLM_ASSIGN_OR_RETURN(const std::vector<Value> parts, to_items(runtime, pair));
        if (parts.size() != 2) {
          return core::invalid_argument("a dict is made of pairs, found {} items", parts.size());
        }
        if (!is_hashable(parts[0])) {
          return core::invalid_argument("unhashable type: '{}'", parts[0].type_name());
        }
        entries.set(parts[0], parts[1], &runtime.budget);
      }
    }
  }
  for (const auto& [name, value] : arguments.named) entries.set(name, value);
  return {};
}

// The global `dict`.
class MappingMaker final : public Object {
 public:
  std::string_view type_name() const override { return "TemplateDict"; }
  Result<std::string> repr(Runtime&) override { return std::string("<TemplateDict object>"); }
  bool callable() const override { return true; }

  Result<Value> call(Runtime& runtime, const Arguments& arguments) override {
    Mapping entries;
    LLM_RETURN_IF_ERROR(fill_mapping(runtime, arguments, entries));
    return runtime.mapping(std::move(entries));
  }

  Result<Value> attribute(Runtime& runtime, std::string_view name) override {
    if (name != "fromkeys") return Value();
    return runtime.object<
        Function>("fromkeys", [](Runtime& r, const Arguments& a) -> Result<Value> {
      LLM_ASSIGN_OR_RETURN(const auto given, bind("fromkeys", a, {"iterable", "value"}, 1, false));
      LLM_ASSIGN_OR_RETURN(const std::vector<Value> keys, to_items(r, given[0]));
      Mapping entries;
      for (const Value& key : keys) {
        if (!is_hashable(key)) {
          return core::invalid_argument("unhashable type: '{}'", key.type_name());
        }
        entries.set(key, given[1].is_missing() ? Value::none() : given[1], &r.budget);
      }
      return r.mapping(std::move(entries));
    });
  }
};

Result<Value> make_namespace(Runtime& runtime, const Arguments& arguments) {
  Mapping entries;
  LLM_RETURN_IF_ERROR(fill_mapping(runtime, arguments, entries));
  auto space = std::make_shared<Namespace>();
  for (const auto& [key, value] : entries.entries()) {
    if (!key.is_text()) return core::invalid_argument("attributes of a namespace have text names");
    LLM_RETURN_IF_ERROR(space->set(key.bytes(), value));
  }
  runtime.own(space);
  return Value::object(std::move(space));
}

// cycler('a', 'b'): next(), reset(), current
class Cycler final : public Object {
 public:
  explicit Cycler(Value items) : Object(items.nesting() + 1), items_(std::move(items)) {}
  std::string_view type_name() const override { return "Cycler"; }
  Result<std::string> repr(Runtime&) override { return std::string("<Cycler object>"); }

  Result<Value> attribute(Runtime& runtime, std::string_view name) override {
    if (name == "current") return items_.items()[at_];
    const auto self = std::static_pointer_cast<Cycler>(shared_from_this());
    if (name == "next" || name == "reset") {
      const bool advance = name == "next";
      return runtime.object<Function>(
          std::string(name),
          [self, advance](Runtime&, const Arguments& arguments) -> Result<Value> {
            LLM_RETURN_IF_ERROR(bind("next", arguments, {}, 0).status());
            const Value current = self->items_.items()[self->at_];
            self->at_ = advance ? (self->at_ + 1) % self->items_.items().size() : 0;
            return advance ? current : Value::none();
          });
    }
    return Value();
  }

 private:
  Value items_;
  std::size_t at_ = 0;
};

Result<Value> make_cycler(Runtime& runtime, const Arguments& arguments) {
  if (!arguments.named.empty()) return core::invalid_argument("cycler() takes values only");
  if (arguments.positional.empty()) {
    return core::invalid_argument("at least one item has to be provided");
  }
  return runtime.object<Cycler>(runtime.tuple(arguments.positional));
}

// joiner(', '): nothing the first time it is called, the separator from then on
class Joiner final : public Object {
 public:
  explicit Joiner(Value separator)
      : Object(separator.nesting() + 1), separator_(std::move(separator)) {}
  std::string_view type_name() const override { return "Joiner"; }
  Result<std::string> repr(Runtime&) override { return std::string("<Joiner object>"); }
  bool callable() const override { return true; }
  Result<Value> call(Runtime&, const Arguments& arguments) override {
    LLM_RETURN_IF_ERROR(bind("joiner", arguments, {}, 0).status());
    return std::exchange(used_, true) ? separator_ : Value::text("");
  }
  Result<Value> attribute(Runtime&, std::string_view name) override {
    if (name == "sep") return separator_;
    if (name == "used") return Value::boolean(used_);
    return Value();
  }

 private:
  Value separator_;
  bool used_ = false;
};

Result<Value> make_joiner(Runtime& runtime, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("joiner", arguments, {"sep"}, 0));
  return runtime.object<Joiner>(given[0].is_missing() ? Value::text(", ") : given[0]);
}

Result<Value> raise_exception(Runtime& runtime, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("raise_exception", arguments, {"message"}, 1));
  LLM_ASSIGN_OR_RETURN(const std::string message, to_text(runtime, given[0]));
  // One line, of a length for error messages; letters beyond ASCII stay readable.
  std::string shown;
  for (const char c : message.substr(0, 1000))
    shown += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  return core::invalid_argument("{}", shown);
}

// datetime.now().strftime(format), of a time without a zone.
Result<Value> strftime_now(Runtime& runtime, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("strftime_now", arguments, {"format"}, 1));
  LLM_ASSIGN_OR_RETURN(const std::string format, text_or(given[0], "", "strftime_now"));
  const std::tm now = runtime.clock();
  std::string out;
  for (std::size_t at = 0; at < format.size();) {
    if (format[at] != '%') {
      out += format[at++];
      continue;
    }
    std::size_t end = at + 1;
    while (end < format.size() &&
           std::string_view("-_0^#EO:").find(format[end]) != std::string::npos) {
      ++end;
    }
    const std::string field = format.substr(at, end + 1 - at);
    at = std::min(end + 1, format.size());
    const char code = field.back();
    if (code == 'f') out += "000000";
    if (code == 'f' || code == 'z' || code == 'Z') continue;
    char buffer[200];
    out.append(buffer, std::strftime(buffer, sizeof buffer, field.c_str(), &now));
    if (!runtime.budget.admits(out.size())) return runtime.budget.status();
  }
  return runtime.text(std::move(out));
}

}  // namespace

Status Namespace::set(std::string_view name, Value value) {
  if (name.starts_with("_")) {
    return core::invalid_argument("attributes of a namespace cannot begin with an underscore: {}",
                                  core::quote(name, 40));
  }
  attributes_.set(name, std::move(value));
  return {};
}

Result<Value> Namespace::attribute(Runtime&, std::string_view name) {
  const Value* found = attributes_.find(name);
  return found == nullptr ? Value() : *found;
}

Result<std::string> Namespace::repr(Runtime& runtime) {
  // Namespaces can hold each other, and themselves; Python gives up there as well.
  constexpr int kMostNested = 50;
  if (runtime.namespaces_written >= kMostNested) {
    return core::invalid_argument("namespaces inside of namespaces are too deep to be printed");
  }
  ++runtime.namespaces_written;
  Mapping copy;
  for (const auto& [key, value] : attributes_.entries()) copy.set(key, value);
  const auto text = llm::chat::repr(runtime, Value::mapping(std::move(copy)));
  --runtime.namespaces_written;
  if (!text) return text.error();
  return fmt::format("<Namespace {}>", *text);
}

Mapping make_globals(Runtime& runtime) {
  Mapping globals;
  const auto add = [&](const char* name, Function::Body body) {
    globals.set(name, runtime.object<Function>(name, std::move(body)));
  };
  add("range", make_range);
  add("namespace", make_namespace);
  add("cycler", make_cycler);
  add("joiner", make_joiner);
  add("raise_exception", raise_exception);
  add("strftime_now", strftime_now);
  globals.set("dict", runtime.object<MappingMaker>());
  return globals;
}

}  // namespace llm::chat
