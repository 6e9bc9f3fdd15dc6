#include "chat/value.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "chat/object.h"

namespace llm::chat {
namespace {

constexpr std::size_t kObjectOverhead = 64;  // of a shared block, roughly
constexpr std::size_t kIndexedFrom = 9;      // entries of a mapping that are not just searched

std::int64_t count_code_points(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
}

int deepest(const std::vector<Value>& items) {
  int nesting = 0;
  for (const Value& item : items) nesting = std::max(nesting, item.nesting());
  return nesting;
}

std::size_t hash_text(std::string_view text) { return std::hash<std::string_view>()(text); }

// Equal values have equal hashes. Of tuples, a few items of a few levels count: it must end soon.
std::size_t hash_value(const Value& value, int depth = 0) {
  switch (value.kind()) {
    case Value::Kind::boolean:
    case Value::Kind::integer:
      return std::hash<std::int64_t>()(value.as_integer());
    case Value::Kind::real: {
      const double number = value.as_real();
      if (std::abs(number) < 9e18 && number == std::floor(number)) {
        return std::hash<std::int64_t>()(static_cast<std::int64_t>(number));
      }
      return std::hash<double>()(number);
    }
    case Value::Kind::text:
      return hash_text(value.bytes());
    case Value::Kind::tuple: {
      const std::size_t count = value.items().size();
      std::size_t hash = count;
      for (std::size_t i = 0; i < std::min<std::size_t>(count, 4) && depth < 3; ++i) {
        hash = hash * 31 + hash_value(value.items()[i], depth + 1);
      }
      return hash;
    }
    default:
      return static_cast<std::size_t>(value.kind());
  }
}

bool equal_numbers(const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) return a.as_integer() == b.as_integer();
  if (a.is_integral() != b.is_integral()) {
    // Exact: a long double holds every int64 and every double.
    const auto wide = [](const Value& v) {
      return v.is_integral() ? static_cast<long double>(v.as_integer())
                             : static_cast<long double>(v.as_real());
    };
    return wide(a) == wide(b);
  }
  return a.as_real() == b.as_real();
}

bool equal_items(const std::vector<Value>& a, const std::vector<Value>& b, Budget* budget) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!a[i].same_as(b[i]) && !equal(a[i], b[i], budget)) return false;
  }
  return true;
}

bool equal_mappings(const Mapping& a, const Mapping& b, Budget* budget) {
  if (a.size() != b.size()) return false;
  for (const auto& [key, value] : a.entries()) {
    const Value* other = b.find(key, budget);
    if (other == nullptr) return false;
    if (!value.same_as(*other) && !equal(value, *other, budget)) return false;
  }
  return true;
}

}  // namespace

Text::Text(std::string text, Budget* budget, bool markup)
    : bytes(std::move(text)),
      length(count_code_points(bytes)),
      is_markup(markup),
      charge(budget, bytes.size() + kObjectOverhead) {}

template <class Same>
std::size_t Mapping::locate(std::size_t hash, const Same& same) const {
  if (index_.empty()) {
    const auto found = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const Entry& entry) { return same(entry.first); });
    return static_cast<std::size_t>(found - entries_.begin());
  }
  const auto [begin, end] = index_.equal_range(hash);
  for (auto at = begin; at != end; ++at) {
    if (same(entries_[at->second].first)) return at->second;
  }
  return entries_.size();
}

std::size_t Mapping::locate(const Value& key, std::size_t hash, Budget* budget) const {
  return locate(
      hash, [&](const Value& other) { return other.same_as(key) || equal(other, key, budget); });
}

const Value* Mapping::find(const Value& key, Budget* budget) const {
  const std::size_t at = locate(key, hash_value(key), budget);
  return at < size() ? &entries_[at].second : nullptr;
}

const Value* Mapping::find(std::string_view key) const {
  const std::size_t at = locate(
      hash_text(key), [&](const Value& other) { return other.is_text() && other.bytes() == key; });
  return at < size() ? &entries_[at].second : nullptr;
}

void Mapping::set(Value key, Value value, Budget* budget) {
  nesting = std::max({nesting, 1 + key.nesting(), 1 + value.nesting()});
  const std::size_t hash = hash_value(key);
  if (const std::size_t at = locate(key, hash, budget); at < size()) {
    entries_[at].second = std::move(value);
    return;
  }
  entries_.emplace_back(std::move(key), std::move(value));
  if (entries_.size() == kIndexedFrom) {
    for (std::size_t i = 0; i < kIndexedFrom; ++i) {
      index_.emplace(hash_value(entries_[i].first), i);
    }
  } else if (entries_.size() > kIndexedFrom) {
    index_.emplace(hash, entries_.size() - 1);
  }
}

void Mapping::set(std::string_view key, Value value) {
  set(Value::text(std::string(key)), std::move(value));
}

Value Value::undefined(std::string why) {
  return Value(State(std::in_place_index<1>,
                     Undefined{std::make_shared<const std::string>(std::move(why))}));
}

Value Value::text(std::string bytes, Budget* budget, bool markup) {
  return Value(State(std::in_place_index<6>,
                     std::make_shared<const Text>(std::move(bytes), budget, markup)));
}

Value Value::list(std::vector<Value> items, Budget* budget) {
  Value made = tuple(std::move(items), budget);
  return Value(State(std::in_place_index<7>, ListRef{std::get<8>(made.state_).items}));
}

Value Value::tuple(std::vector<Value> items, Budget* budget, bool is_group) {
  auto sequence = std::make_shared<Sequence>();
  sequence->nesting = 1 + deepest(items);
  sequence->hashable = std::all_of(items.begin(), items.end(), is_hashable);
  sequence->is_group = is_group;
  sequence->charge = Charge(budget, items.size() * sizeof(Value) + kObjectOverhead);
  sequence->items = std::move(items);
  if (budget != nullptr) budget->nest(sequence->nesting);
  return Value(State(std::in_place_index<8>, TupleRef{std::move(sequence)}));
}

Value Value::mapping(Mapping entries, Budget* budget) {
  auto mapping = std::make_shared<Mapping>(std::move(entries));
  constexpr std::size_t kIndexEntry = 48;
  mapping->charge =
      Charge(budget, mapping->size() * (sizeof(Mapping::Entry) + kIndexEntry) + kObjectOverhead);
  if (budget != nullptr) budget->nest(mapping->nesting);
  return Value(State(std::in_place_index<9>, std::move(mapping)));
}

Value Value::object(std::shared_ptr<Object> object) {
  return Value(State(std::in_place_index<10>, std::move(object)));
}

int Value::nesting() const {
  switch (kind()) {
    case Kind::list:
    case Kind::tuple:
      return as_sequence().nesting;
    case Kind::mapping:
      return as_mapping().nesting;
    case Kind::object:
      return as_object().nesting();
    default:
      return 0;
  }
}

bool Value::same_as(const Value& other) const {
  if (kind() != other.kind()) return false;
  switch (kind()) {
    case Kind::boolean:
      return as_boolean() == other.as_boolean();
    case Kind::integer:
      return as_integer() == other.as_integer();
    case Kind::real:
      return false;
    case Kind::text:
      return &as_text() == &other.as_text() || bytes() == other.bytes();
    case Kind::list:
    case Kind::tuple:
      return &as_sequence() == &other.as_sequence();
    case Kind::mapping:
      return &as_mapping() == &other.as_mapping();
    case Kind::object:
      return &as_object() == &other.as_object();
    default:
      return true;
  }
}

std::string_view Value::type_name() const {
  switch (kind()) {
    case Kind::missing:
    case Kind::undefined:
      return "Undefined";
    case Kind::none:
      return "NoneType";
    case Kind::boolean:
      return "bool";
    case Kind::integer:
      return "int";
    case Kind::real:
      return "float";
    case Kind::text:
      return "str";
    case Kind::list:
      return "list";
    case Kind::tuple:
      return "tuple";
    case Kind::mapping:
      return "dict";
    case Kind::object:
      return as_object().type_name();
  }
  return "object";
}

bool equal(const Value& a, const Value& b, Budget* budget) {
  if (budget != nullptr && !budget->spend()) return false;
  if (a.is_number() && b.is_number()) return equal_numbers(a, b);
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Value::Kind::text:
      if (budget != nullptr) budget->spend_bytes(a.bytes().size());
      return a.bytes() == b.bytes();
    case Value::Kind::list:
    case Value::Kind::tuple:
      return equal_items(a.items(), b.items(), budget);
    case Value::Kind::mapping:
      return equal_mappings(a.as_mapping(), b.as_mapping(), budget);
    case Value::Kind::object:
      return a.as_object().equals(b.as_object());
    default:
      return true;  // None; two undefined values are equal
  }
}

bool is_hashable(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::list:
    case Value::Kind::mapping:
      return false;
    case Value::Kind::tuple:
      return value.as_sequence().hashable;
    default:
      return true;
  }
}

}  // namespace llm::chat
