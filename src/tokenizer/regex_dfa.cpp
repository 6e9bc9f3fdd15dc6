#include "tokenizer/regex_dfa.h"

#include <algorithm>
#include <map>
#include <utility>

#include "tokenizer/regex_program.h"

namespace llm::tokenizer {
namespace {

constexpr std::size_t kMaxStates = 1000;

}  // namespace

// Makes the table, state by state from the starting ones.
struct RegexDfa::Builder {
  using Kind = RegexInstruction::Kind;
  // Places in the program, and the class of the character before them (0 where nothing looks).
  using State = std::pair<std::vector<std::uint16_t>, std::size_t>;

  Builder(const RegexProgram& p, RegexDfa& d) : program(p), dfa(d) {
    for (const RegexInstruction& one : program.instructions) {
      dfa.looks_behind_ |= one.kind == Kind::look && !one.ahead;
    }
    dfa.end_class_ = dfa.classes_.size();
    width = dfa.classes_.size() + 1;
    visited.resize(program.instructions.size());
  }

  bool build() {
    add({{}, 0});  // goes nowhere
    const std::size_t befores = dfa.looks_behind_ ? width : 1;
    for (std::size_t before = 0; before < befores; ++before) {
      dfa.starts_.push_back(add({{0}, before}));
    }
    const std::size_t n_starts = states.size();
    for (std::size_t done = 1; done < states.size(); ++done) {
      if (states.size() > kMaxStates) return false;
      for (std::size_t c = 0; c < width; ++c) {
        const Entry entry = step(*states[done], c);
        dfa.table_[done * width + c] = entry;
        if (done < n_starts && entry != 0) dfa.begins_[c] = true;
      }
    }
    return true;
  }

  std::uint32_t add(State state) {
    const auto [place, added] =
        numbers.try_emplace(std::move(state), static_cast<std::uint32_t>(numbers.size() * width));
    if (added) {
      states.push_back(&place->first);
      dfa.table_.resize(dfa.table_.size() + width, 0);
    }
    return place->second;
  }

  bool holds(const RegexInstruction& look, std::size_t character_class) const {
    if (character_class == dfa.end_class_) return look.at_edge;
    return dfa.classes_.in_set(character_class, look.set) == look.wanted;
  }

  // Follows a place to the instructions that read the next character, in order of priority; true
  // when it comes to a match, which everything behind it must give way to.
  bool follow(std::uint16_t start, std::size_t before, std::size_t next,
              std::vector<std::uint16_t>& result) {
    std::vector<std::uint16_t> todo = {start};
    while (!todo.empty()) {
      const std::uint16_t at = todo.back();
      todo.pop_back();
      if (visited[at]) continue;
      visited[at] = true;
      const RegexInstruction& one = program.instructions[at];
      switch (one.kind) {
        case Kind::match:
          return true;
        case Kind::jump:
          todo.push_back(one.next);
          break;
        case Kind::split:
          todo.push_back(one.other);
          todo.push_back(one.next);
          break;
        case Kind::look:
          if (holds(one, one.ahead ? next : before)) todo.push_back(one.next);
          break;
        case Kind::character:
          if (next != dfa.end_class_ && dfa.classes_.in_set(next, one.set) &&
              std::find(result.begin(), result.end(), one.next) == result.end()) {
            result.push_back(one.next);
          }
          break;
      }
    }
    return false;
  }

  Entry step(const State& state, std::size_t next) {
    std::fill(visited.begin(), visited.end(), false);
    std::vector<std::uint16_t> places;
    bool matched = false;
    for (const std::uint16_t place : state.first) {
      matched = follow(place, state.second, next, places);
      if (matched) break;
    }
    const std::uint32_t target =
        places.empty() ? 0 : add({std::move(places), dfa.looks_behind_ ? next : 0});
    return target << 1 | static_cast<Entry>(matched);
  }

  const RegexProgram& program;
  RegexDfa& dfa;
  std::size_t width;
  std::map<State, std::uint32_t> numbers;  // the state's index into the table
  std::vector<const State*> states;        // by number
  std::vector<bool> visited;
};

std::optional<RegexDfa> RegexDfa::compile(std::string_view pattern) {
  const auto program = RegexProgram::compile(pattern);
  if (!program) return std::nullopt;
  auto classes = CharacterClasses::build(program->sets);
  if (!classes) return std::nullopt;
  RegexDfa dfa(std::move(*classes));
  for (char32_t c = 0; c < dfa.ascii_.size(); ++c) dfa.ascii_[c] = dfa.classes_.of(c);
  if (!Builder(*program, dfa).build()) return std::nullopt;
  return dfa;
}

std::size_t RegexDfa::match_at(std::string_view text, std::size_t begin, std::size_t& read) const {
  std::size_t before = 0, length = 0;
  if (looks_behind_) {
    before = end_class_;
    if (begin > 0) {
      std::size_t last = begin - 1;
      while ((static_cast<unsigned char>(text[last]) & 0xC0) == 0x80) --last;
      before = class_at(text, last, length);
    }
  }
  const Entry* const table = table_.data();
  std::size_t state = starts_[before];
  std::size_t end = kNone;
  read = 0;
  for (std::size_t at = begin;; at += length) {
    ++read;
    const std::size_t c = at < text.size() ? class_at(text, at, length) : end_class_;
    const Entry entry = table[state + c];
    if ((entry & 1) != 0) end = at;
    state = entry >> 1;
    if (state == 0) return end;
  }
}

bool RegexDfa::find(std::string_view text, std::size_t from, Match& match,
                    std::size_t& wasted) const {
  std::size_t length = 0;
  for (std::size_t at = from;; at += length) {
    while (at < text.size() && !begins_[class_at(text, at, length)]) at += length;
    if (at == text.size() && !begins_[end_class_]) return false;
    std::size_t read = 0;
    const std::size_t end = match_at(text, at, read);
    if (end != kNone) {
      match = {at, end};
      return true;
    }
    wasted += read;
    if (at == text.size() || wasted > waste_limit(text)) return false;
    length = utf8_length(text[at]);
  }
}

}  // namespace llm::tokenizer
