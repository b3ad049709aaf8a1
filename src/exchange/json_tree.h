#pragma once

/// A JSON document as a tree whose leaves are still the text: what translation between dialects
/// reads. Numbers, schemas and tool arguments are handed on as the bytes that stood there, so
/// that 1.0 stays 1.0 and no key changes its place.
///
/// Why not simdjson's own tree: it keeps values and forgets how they were written. Its parser
/// does the reading here too.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace claviger::exchange {

/// A body with more values than this is not translated: the tree would be many times its size.
inline constexpr std::size_t json_nodes_max = 400'000;
inline constexpr int json_tree_depth_max = 128;

class JsonTree;

/// One value of a tree, or none. Cheap to copy; lives as long as the tree and its text. Asking
/// a value for what it is not gives nothing rather than an error: whoever minds asks kind().
class JsonNode {
 public:
  enum class Kind : std::uint8_t { none, object, array, string, number, boolean, null };

  JsonNode() = default;
  Kind kind() const;
  bool exists() const { return kind() != Kind::none; }
  bool is_object() const { return kind() == Kind::object; }
  bool is_array() const { return kind() == Kind::array; }
  bool is_string() const { return kind() == Kind::string; }
  /// There, and not null.
  bool says_something() const { return exists() && kind() != Kind::null; }

  /// The exact bytes of the value.
  std::string_view raw() const;
  /// A string, unescaped; empty for anything else.
  std::string_view text() const;
  /// A whole number of 64 bits, written without point or exponent.
  std::optional<std::int64_t> integer() const;
  bool is_true() const { return kind() == Kind::boolean && raw() == "true"; }
  bool is_false() const { return kind() == Kind::boolean && raw() == "false"; }

  /// Of an object: the value of `key` (unescaped), the last where it stands twice.
  JsonNode operator[](std::string_view key) const;
  /// Of a value inside an object: its key, unescaped.
  std::string_view key() const;
  std::size_t size() const;

  class Iterator {
   public:
    Iterator(const JsonTree* tree, std::uint32_t index) : tree_(tree), index_(index) {}
    JsonNode operator*() const { return {tree_, index_}; }
    Iterator& operator++();
    bool operator==(const Iterator& other) const { return index_ == other.index_; }

   private:
    const JsonTree* tree_;
    std::uint32_t index_;
  };
  Iterator begin() const;
  Iterator end() const;

 private:
  friend class JsonTree;
  JsonNode(const JsonTree* tree, std::uint32_t index) : tree_(tree), index_(index) {}
  const JsonTree* tree_ = nullptr;
  std::uint32_t index_ = 0;
};

/// Threads: each tree belongs to one thread at a time. Not movable: nodes point to it.
class JsonTree {
 public:
  JsonTree() = default;
  JsonTree(const JsonTree&) = delete;
  JsonTree& operator=(const JsonTree&) = delete;

  /// Reads `json`, which must outlive the tree; what was read before is forgotten. False where
  /// it is not one whole JSON object or array in UTF-8, or passes a bound.
  bool read(std::string_view json);
  JsonNode root() const;

 private:
  friend class JsonNode;
  friend class JsonTreeReader;
  static constexpr std::uint32_t no_node = 0xFFFF'FFFF;
  struct Node {
    std::string_view raw;
    std::string_view key;
    std::string_view text;
    std::uint32_t children = 0;
    std::uint32_t first = no_node;
    std::uint32_t next = no_node;
    JsonNode::Kind kind = JsonNode::Kind::none;
  };
  std::vector<Node> nodes_;
  std::deque<std::string> unescaped_;  ///< Strings that had escapes; addresses stay.
};

}  // namespace claviger::exchange
