// Value: what a template computes with, under Python's rules: None, bool, int, float, str, list,
// tuple, dict, Jinja's Undefined, and objects (functions, ranges, loops, see object.h). Text is
// valid UTF-8 and counts in code points. Lists, tuples and dicts never change once made: the
// sandbox that templates are written for refuses to change them. A Value is cheap to copy; contents
// are shared between copies and charged to the Budget of the rendering that made them (inputs and
// constants: to none).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "chat/budget.h"

namespace llm::chat {

class Object;
class Value;

/// Bytes taken from a budget until destruction.
class Charge {
 public:
  Charge() = default;
  Charge(Budget* budget, std::size_t bytes) : budget_(budget), bytes_(bytes) {
    if (budget_ != nullptr) budget_->allocate(bytes_);
  }
  Charge(Charge&& other) noexcept
      : budget_(std::exchange(other.budget_, nullptr)), bytes_(other.bytes_) {}
  Charge& operator=(Charge&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Charge() {
    if (budget_ != nullptr) budget_->release(bytes_);
  }

 private:
  Budget* budget_ = nullptr;
  std::size_t bytes_ = 0;
};

struct Text {
  Text(std::string text, Budget* budget, bool markup);

  std::string bytes;
  std::int64_t length;  ///< in code points
  bool is_markup;       ///< HTML that needs no escaping (the filters `escape` and `safe`)
  Charge charge;

  bool is_ascii() const { return length == static_cast<std::int64_t>(bytes.size()); }
};

/// A list or a tuple.
struct Sequence {
  std::vector<Value> items;
  bool is_group = false;  ///< a tuple of `groupby`: has attributes `grouper` and `list`
  bool hashable = true;   ///< of a tuple: all of its items are
  int nesting = 1;        ///< 1 + the deepest item's
  Charge charge;
};

/// A dict: keeps the order in which keys were first set.
class Mapping {
 public:
  using Entry = std::pair<Value, Value>;

  Mapping() = default;
  Mapping(Mapping&&) = default;
  Mapping& operator=(Mapping&&) = default;

  const std::vector<Entry>& entries() const { return entries_; }
  std::size_t size() const;
  /// Null when absent. The key must be hashable; comparing it spends steps of the budget, if any.
  const Value* find(const Value& key, Budget* budget = nullptr) const;
  const Value* find(std::string_view key) const;
  /// Inserts, or replaces the value of an equal key.
  void set(Value key, Value value, Budget* budget = nullptr);
  void set(std::string_view key, Value value);

  int nesting = 1;
  Charge charge;

 private:
  template <class Same>
  std::size_t locate(std::size_t hash, const Same& same) const;  // index, or size() when absent
  std::size_t locate(const Value& key, std::size_t hash, Budget* budget) const;

  std::vector<Entry> entries_;
  std::unordered_multimap<std::size_t, std::size_t> index_;  // hash -> entry; empty while small
};

class Value {
 public:
  enum class Kind : std::uint8_t {
    missing,  ///< no value: a variable that was never set; never seen by an operator
    undefined,
    none,
    boolean,
    integer,
    real,
    text,
    list,
    tuple,
    mapping,
    object,
  };

  Value() = default;  ///< missing
  static Value none() { return Value(State(std::in_place_index<2>)); }
  /// `why`: the error of whoever uses it, e.g. "'x' is undefined".
  static Value undefined(std::string why);
  static Value boolean(bool value) { return Value(State(std::in_place_index<3>, value)); }
  static Value integer(std::int64_t value) { return Value(State(std::in_place_index<4>, value)); }
  static Value real(double value) { return Value(State(std::in_place_index<5>, value)); }
  static Value text(std::string bytes, Budget* budget = nullptr, bool markup = false);
  static Value list(std::vector<Value> items, Budget* budget = nullptr);
  static Value tuple(std::vector<Value> items, Budget* budget = nullptr, bool is_group = false);
  static Value mapping(Mapping entries, Budget* budget = nullptr);
  static Value object(std::shared_ptr<Object> object);

  Kind kind() const { return static_cast<Kind>(state_.index()); }
  bool is(Kind wanted) const { return kind() == wanted; }
  bool is_missing() const { return is(Kind::missing); }
  bool is_undefined() const { return is(Kind::undefined); }
  bool is_none() const { return is(Kind::none); }
  bool is_text() const { return is(Kind::text); }
  bool is_mapping() const { return is(Kind::mapping); }
  bool is_sequence() const { return is(Kind::list) || is(Kind::tuple); }
  /// Python's int: bool included.
  bool is_integral() const { return is(Kind::boolean) || is(Kind::integer); }
  bool is_number() const { return is_integral() || is(Kind::real); }

  // Each of these wants its own kind.
  const std::string& why_undefined() const { return *std::get<1>(state_).why; }
  bool as_boolean() const { return std::get<3>(state_); }
  std::int64_t as_integer() const {  ///< of a bool: 0 or 1
    return is(Kind::boolean) ? std::int64_t{as_boolean()} : std::get<4>(state_);
  }
  double as_real() const { return std::get<5>(state_); }
  double to_real() const {  ///< of any number
    return is_integral() ? static_cast<double>(as_integer()) : as_real();
  }
  const Text& as_text() const { return *std::get<6>(state_); }
  const std::string& bytes() const { return as_text().bytes; }
  const Sequence& as_sequence() const {
    return is(Kind::list) ? *std::get<7>(state_).items : *std::get<8>(state_).items;
  }
  const std::vector<Value>& items() const { return as_sequence().items; }
  const Mapping& as_mapping() const { return *std::get<9>(state_); }
  Object& as_object() const { return *std::get<10>(state_); }
  /// The object when it is a T, else null.
  template <class T>
  T* as() const {
    return is(Kind::object) ? dynamic_cast<T*>(std::get<10>(state_).get()) : nullptr;
  }

  /// Containers inside each other, this one included; 0 for what holds nothing.
  int nesting() const;
  /// Python's `is`.
  bool same_as(const Value& other) const;
  /// Python's name of the type: "str", "NoneType", "dict" ...
  std::string_view type_name() const;

 private:
  struct Undefined {
    std::shared_ptr<const std::string> why;
  };
  struct None {};
  struct ListRef {
    std::shared_ptr<const Sequence> items;
  };
  struct TupleRef {
    std::shared_ptr<const Sequence> items;
  };
  using State = std::variant<std::monostate, Undefined, None, bool, std::int64_t, double,
                             std::shared_ptr<const Text>, ListRef, TupleRef,
                             std::shared_ptr<const Mapping>, std::shared_ptr<Object>>;

  explicit Value(State state) : state_(std::move(state)) {}

  State state_;
};

inline std::size_t Mapping::size() const { return entries_.size(); }

/// Python's ==. Spends steps of the budget, if there is one; false once they are used up.
bool equal(const Value& a, const Value& b, Budget* budget = nullptr);

/// Lists and dicts are not (nor tuples that hold one).
bool is_hashable(const Value& value);

}  // namespace llm::chat
