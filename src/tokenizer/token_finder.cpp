#include "tokenizer/token_finder.h"

#include <algorithm>
#include <deque>

namespace llm::tokenizer {

TokenFinder::TokenFinder(std::vector<std::pair<std::string, std::int32_t>> texts) {
  std::erase_if(texts, [](const auto& one) { return one.first.empty(); });
  std::stable_sort(texts.begin(), texts.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  if (!texts.empty()) build(texts);
}

// Breadth first over the sorted texts: the texts below a node are a range that share `depth` bytes.
void TokenFinder::build(const std::vector<std::pair<std::string, std::int32_t>>& texts) {
  struct Range {
    std::size_t begin, end, depth;
    std::uint32_t node;
  };
  std::deque<Range> todo = {{0, texts.size(), 0, 0}};
  nodes_.push_back({});
  while (!todo.empty()) {
    Range range = todo.front();
    todo.pop_front();
    if (texts[range.begin].first.size() == range.depth) {
      nodes_[range.node].id = texts[range.begin].second;
      while (range.begin < range.end && texts[range.begin].first.size() == range.depth) {
        ++range.begin;
      }
    }
    nodes_[range.node].first_edge = static_cast<std::uint32_t>(edges_.size());
    while (range.begin < range.end) {
      const char c = texts[range.begin].first[range.depth];
      std::size_t end = range.begin;
      while (end < range.end && texts[end].first[range.depth] == c) ++end;
      const auto child = static_cast<std::uint32_t>(nodes_.size());
      nodes_.push_back({});
      edges_.push_back({static_cast<unsigned char>(c), child});
      ++nodes_[range.node].n_edges;
      todo.push_back({range.begin, end, range.depth + 1, child});
      range.begin = end;
    }
  }
  for (std::uint32_t edge = 0; edge < nodes_[0].n_edges; ++edge) {
    roots_[edges_[edge].byte] = edges_[edge].node;
  }
}

const TokenFinder::Node* TokenFinder::step(const Node& node, char c) const {
  const auto byte = static_cast<unsigned char>(c);
  const auto first = edges_.begin() + node.first_edge;
  const auto last = first + node.n_edges;
  const auto edge = std::lower_bound(
      first, last, byte, [](const Edge& one, unsigned char value) { return one.byte < value; });
  return edge != last && edge->byte == byte ? &nodes_[edge->node] : nullptr;
}

bool TokenFinder::longest_at(std::string_view text, std::size_t begin, std::size_t max_bytes,
                             Match& match) const {
  const std::uint32_t root = roots_[static_cast<unsigned char>(text[begin])];
  if (root == 0 || max_bytes == 0) return false;
  text = text.substr(0, begin + std::min(max_bytes, text.size() - begin));
  match.id = -1;
  std::size_t at = begin + 1;
  for (const Node* node = &nodes_[root]; node != nullptr;
       node = at < text.size() ? step(*node, text[at++]) : nullptr) {
    if (node->id >= 0) match = {begin, at, node->id};
  }
  return match.id >= 0;
}

bool TokenFinder::find(std::string_view text, std::size_t from, Match& match) const {
  if (empty()) return false;
  for (std::size_t begin = from; begin < text.size(); ++begin) {
    if (roots_[static_cast<unsigned char>(text[begin])] == 0) continue;
    if (longest_at(text, begin, text.size(), match)) return true;
  }
  return false;
}

}  // namespace llm::tokenizer
