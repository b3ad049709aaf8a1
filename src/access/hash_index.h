#pragma once

/// From a key's hash to its row: the look-up that every request passes.
///
/// Flat open addressing, at most half full, the whole hash in the slot: a look-up touches one
/// or two cache lines and allocates nothing. The hash is keyed with a secret, so its bytes are
/// random to whoever does not know that secret: nobody can aim keys at one slot, and where a
/// probe ends tells nothing about any key.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "access/key_format.h"

namespace claviger::access {

/// Threads: find() from any thread, once building is over.
class HashIndex {
 public:
  /// Makes room for `count` hashes.
  explicit HashIndex(std::size_t count);

  /// `hash` is kKeyHashBytes long; of two equal ones the first stays. At most `count` calls.
  void insert(std::string_view hash, std::uint32_t row);

  std::optional<std::uint32_t> find(const unsigned char (&hash)[kKeyHashBytes]) const;

 private:
  struct Slot {
    std::array<char, kKeyHashBytes> hash{};
    std::uint32_t row_plus_one = 0;  ///< 0: the slot is free.
  };
  std::size_t first_slot(const char* hash) const;

  std::vector<Slot> slots_;  ///< A power of two.
};

}  // namespace claviger::access
