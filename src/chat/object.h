// Object: base of the values that are neither data nor text: functions, macros, ranges, views of
// dicts, iterators, namespaces, loops. And Runtime, the rendering that all of them belong to.
#pragma once

#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/value.h"
#include "llm/status.h"

namespace llm::chat {

/// Arguments of a call. Names are unique.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

struct Runtime {
  explicit Runtime(const RenderLimits& limits) : budget(limits) {}
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  ~Runtime();

  Value text(std::string bytes, bool markup = false) {
    return Value::text(std::move(bytes), &budget, markup);
  }
  Value list(std::vector<Value> items) { return Value::list(std::move(items), &budget); }
  Value tuple(std::vector<Value> items) { return Value::tuple(std::move(items), &budget); }
  Value mapping(Mapping entries) { return Value::mapping(std::move(entries), &budget); }
  template <class T, class... Args>
  Value object(Args&&... args) {
    return Value::object(std::make_shared<T>(std::forward<Args>(args)...));
  }
  /// An object that can come to hold itself: emptied when the rendering ends.
  void own(std::shared_ptr<Object> object) { owned.push_back(std::move(object)); }

  Budget budget;
  std::function<std::tm()> clock;  ///< of strftime_now
  std::vector<std::shared_ptr<Object>> owned;
  int namespaces_written = 0;  ///< inside each other, by repr()
};

/// Yields the items of something, one at a time.
class Iterator {
 public:
  virtual ~Iterator() = default;
  /// False at the end.
  virtual Result<bool> next(Value& item) = 0;
};

class Object : public std::enable_shared_from_this<Object> {
 public:
  explicit Object(int nesting = 0) : nesting_(nesting) {}
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object() = default;

  virtual std::string_view type_name() const = 0;
  virtual Result<std::string> repr(Runtime& runtime) = 0;

  virtual bool callable() const { return false; }
  virtual Result<Value> call(Runtime& runtime, const Arguments& arguments);
  /// A Python attribute; a missing value when there is none of that name.
  virtual Result<Value> attribute(Runtime& runtime, std::string_view name);
  /// Python's len(); nothing when it has none.
  virtual Result<std::optional<std::int64_t>> length() { return std::optional<std::int64_t>(); }
  /// Null when it is not iterable.
  virtual std::unique_ptr<Iterator> iterate(Runtime&) { return nullptr; }
  virtual bool equals(const Object& other) const { return this == &other; }
  /// Drops every value that it holds.
  virtual void clear() {}

  int nesting() const { return nesting_; }

 private:
  int nesting_;
};

}  // namespace llm::chat
