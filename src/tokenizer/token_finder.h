// TokenFinder: finds given texts inside a longer one. Built once from the texts (a trie over
// bytes); immutable, so any thread may search.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace llm::tokenizer {

class TokenFinder {
 public:
  struct Match {
    std::size_t begin, end;
    std::int32_t id;
  };

  TokenFinder() = default;
  /// Empty texts are ignored; of equal texts the first one counts.
  explicit TokenFinder(std::vector<std::pair<std::string, std::int32_t>> texts);

  bool empty() const { return nodes_.empty(); }

  /// The leftmost match at or after `from`, the longest of those that begin there. False when there
  /// is none.
  bool find(std::string_view text, std::size_t from, Match& match) const;

  /// The longest match that begins at `begin` and has at most `max_bytes`.
  bool longest_at(std::string_view text, std::size_t begin, std::size_t max_bytes,
                  Match& match) const;

 private:
  struct Node {
    std::uint32_t first_edge = 0;
    std::uint32_t n_edges = 0;
    std::int32_t id = -1;  // the text that ends here
  };
  struct Edge {
    unsigned char byte;
    std::uint32_t node;
  };

  void build(const std::vector<std::pair<std::string, std::int32_t>>& texts);
  const Node* step(const Node& node, char c) const;

  std::vector<Node> nodes_;                 // nodes_[0] is the root
  std::vector<Edge> edges_;                 // of a node: sorted by byte
  std::array<std::uint32_t, 256> roots_{};  // the root's children; 0: none
};

}  // namespace llm::tokenizer
