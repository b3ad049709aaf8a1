#include "access/hash_index.h"

#include <bit>
#include <cassert>
#include <cstring>

namespace claviger::access {

HashIndex::HashIndex(std::size_t count) : slots_(std::bit_ceil(2 * count + 2)) {}

std::size_t HashIndex::first_slot(const char* hash) const {
  std::uint64_t head = 0;
  std::memcpy(&head, hash, sizeof head);
  return static_cast<std::size_t>(head) & (slots_.size() - 1);
}

void HashIndex::insert(std::string_view hash, std::uint32_t row) {
  assert(hash.size() == kKeyHashBytes);
  std::size_t at = first_slot(hash.data());
  while (slots_[at].row_plus_one != 0) {
    if (std::memcmp(slots_[at].hash.data(), hash.data(), kKeyHashBytes) == 0) return;
    at = (at + 1) & (slots_.size() - 1);
  }
  std::memcpy(slots_[at].hash.data(), hash.data(), kKeyHashBytes);
  slots_[at].row_plus_one = row + 1;
}

std::optional<std::uint32_t> HashIndex::find(const unsigned char (&hash)[kKeyHashBytes]) const {
  const std::string_view wanted(reinterpret_cast<const char*>(hash), kKeyHashBytes);
  std::size_t at = first_slot(wanted.data());
  while (slots_[at].row_plus_one != 0) {
    if (equal_constant_time({slots_[at].hash.data(), kKeyHashBytes}, wanted)) {
      return slots_[at].row_plus_one - 1;
    }
    at = (at + 1) & (slots_.size() - 1);
  }
  return std::nullopt;
}

}  // namespace claviger::access
