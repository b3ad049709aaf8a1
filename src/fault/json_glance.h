#pragma once

/// A look at JSON that may be cut off, broken or hostile. Why not the parser that reads whole
/// documents: errors arrive cut at our bound, with trailing bytes, ten deep, or as JSON inside
/// HTML, and what can be read of them is still evidence. Bounded in depth, nodes and array
/// elements; what lies beyond is skipped, never guessed.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace claviger::fault {

class JsonGlance {
 public:
  static constexpr std::size_t nodes_max = 2048;
  static constexpr std::size_t depth_max = 24;
  static constexpr std::size_t elements_max = 32;  ///< Of one array.

  enum class Kind : std::uint8_t { absent, object, array, string, number, truth, null };

  /// One value, or none: looking into what is absent gives what is absent.
  class Value {
   public:
    Kind kind() const;
    bool is(Kind kind_asked) const { return kind() == kind_asked; }
    explicit operator bool() const { return kind() != Kind::absent && kind() != Kind::null; }
    /// The member of that name, compared without case; the first where it is repeated.
    Value operator[](std::string_view key) const;
    /// The element of an array.
    Value at(std::size_t index) const;
    Value first_child() const;
    Value next() const;  ///< The next member or element of the same parent.
    std::string_view key() const;
    /// A string without its escapes, at most `bytes_max` bytes; a number or truth as written;
    /// else empty.
    std::string text(std::size_t bytes_max = 2048) const;
    std::int64_t integer(std::int64_t otherwise = 0) const;  ///< Also from a string of digits.
    double number(double otherwise = 0) const;
    std::size_t size() const;  ///< Members or elements that were kept.
    std::string_view raw() const;

   private:
    friend class JsonGlance;
    Value(const JsonGlance* glance, std::int32_t node) : glance_(glance), node_(node) {}
    const JsonGlance* glance_;
    std::int32_t node_;
  };

  /// Reads `text`, which must outlive this, from its first `{` or `[`, if nothing but blanks
  /// stands before it.
  explicit JsonGlance(std::string_view text);
  Value root() const { return {this, nodes_.empty() ? -1 : 0}; }
  bool is_whole() const { return whole_; }  ///< It ended, and nothing but blanks followed.

 private:
  struct Node {
    Kind kind;
    std::string_view key;
    std::string_view raw;  ///< Strings without their quotes.
    std::int32_t first_child = -1;
    std::int32_t next = -1;
  };
  class Reader;
  std::vector<Node> nodes_;
  bool whole_ = false;
};

/// Undoes JSON's escapes, up to `bytes_max` bytes of result.
std::string unescaped(std::string_view raw, std::size_t bytes_max);

}  // namespace claviger::fault
