#pragma once

/// Names that are known when the program is built, found by their text in some 20 instructions
/// and one comparison. Where a sorted table costs a comparison for each of its halvings, and a
/// body has a dozen fields to look up, this is what the way of a request can afford.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace claviger {
inline namespace base {

/// Threads: immutable.
template <std::size_t N>
class NameIndex {
 public:
  /// `name_of(i)` is the name of row `i`. A name that stands twice does not compile.
  template <typename NameOf>
  explicit consteval NameIndex(NameOf name_of) {
    for (std::size_t i = 0; i < N; ++i) {
      names_[i] = name_of(i);
      std::size_t slot = first_slot(names_[i]);
      while (slots_[slot] != kFree) {
        if (names_[slots_[slot]] == names_[i]) throw "a name stands twice";
        slot = (slot + 1) % kSlots;
      }
      slots_[slot] = static_cast<std::uint16_t>(i);
    }
  }

  /// The row of `name`, or `none`.
  constexpr std::size_t find(std::string_view name) const {
    for (std::size_t slot = first_slot(name); slots_[slot] != kFree; slot = (slot + 1) % kSlots) {
      if (names_[slots_[slot]] == name) return slots_[slot];
    }
    return none;
  }
  constexpr bool contains(std::string_view name) const { return find(name) != none; }

  static constexpr std::size_t none = static_cast<std::size_t>(-1);

 private:
  static constexpr std::uint16_t kFree = 0xFFFF;
  static constexpr std::size_t kSlots = std::bit_ceil(4 * N);
  static_assert(N > 0 && N < kFree);

  /// Length and four bytes tell names apart well enough: a quarter of the slots is in use.
  static constexpr std::size_t first_slot(std::string_view name) {
    if (name.empty()) return 0;
    const auto at = [&](std::size_t i) {
      return std::uint64_t{static_cast<std::uint8_t>(name[i])};
    };
    const std::size_t last = name.size() - 1;
    const std::uint64_t mixed = at(0) | at(last) << 8 | at(last / 2) << 16 | at(last / 4) << 24 |
                                std::uint64_t{name.size()} << 32;
    return (mixed * 0x9E3779B97F4A7C15U) >> (64 - std::bit_width(kSlots - 1));
  }

  std::array<std::string_view, N> names_{};
  std::array<std::uint16_t, kSlots> slots_ = [] {
    std::array<std::uint16_t, kSlots> slots;
    slots.fill(kFree);
    return slots;
  }();
};

/// Of a table whose rows have their name in `member`.
template <auto member, typename Row, std::size_t N>
consteval NameIndex<N> index_by(const Row (&rows)[N]) {
  return NameIndex<N>([&](std::size_t i) { return std::string_view(rows[i].*member); });
}

}  // namespace base
}  // namespace claviger
