/// Any bytes as a slot or a segment's head: never a crash, and what is read as a record is
/// written back as the very same bytes.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "budget/crc32c.h"
#include "budget/journal_slot.h"

using namespace claviger::budget;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  alignas(8) std::array<std::byte, kSlotBytes> bytes{};
  std::memcpy(bytes.data(), data, std::min(size, bytes.size()));
  if (const auto head = read_head(bytes); head && write_head(*head) != bytes) {
    // Only the unused bytes may differ.
    if (read_head(write_head(*head)) != *head) std::abort();
  }

  const JournalPosition place{7, 11};
  static_cast<void>(read_slot(bytes, place));
  // No fuzzer guesses a checksum: give it the right one.
  std::array<std::byte, 16> where{};
  std::memcpy(where.data(), &place.segment, 8);
  std::memcpy(where.data() + 8, &place.slot, 8);
  const std::uint32_t checksum = crc32c(std::span(bytes).subspan<4>(), crc32c(where));
  if (checksum == 0) return 0;
  std::memcpy(bytes.data(), &checksum, 4);
  const auto record = read_slot(bytes, place);
  if (!record) return 0;
  if (read_slot(bytes, {7, 12}) || read_slot(bytes, {8, 11})) std::abort();
  alignas(8) std::array<std::byte, kSlotBytes> again{};
  write_slot(again, place, *record);
  if (read_slot(again, place) != *record) std::abort();
  return 0;
}
