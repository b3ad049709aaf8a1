#pragma once

/// How the journal's bytes are laid out. Version 1, integers little-endian.
///
/// A segment file is a head and then slots, all of 128 bytes. A slot holds one record:
///
///     at  bytes
///      0    4   checksum: CRC-32C of segment number, slot number and the bytes 4 to 127.
///               0 means unwritten; a checksum that comes out as 0 is written as 1.
///      4    1   type: 1 hold, 2 settle, 3 correct
///      5    1   certainty: 0 billed, 1 estimated, 2 reconciled, 3 quarantined
///      6    1   number of budgets, at most 8
///      7    1   0
///      8   16   request id: its high and its low half
///     24    4   attempt number
///     28    4   number of the note of a correction; 0: none
///     32    8   held, nano-dollars
///     40    8   cost, nano-dollars; 0 for a hold
///     48    8   when, microseconds since 1970
///     56   40   budget ids, 5 bytes each; unused ones are 0
///     96   32   their periods' starts, minutes since 1970, 4 bytes each; unused ones are 0
///
/// The checksum is written last. It binds a slot to its place, so that neither a slot that was
/// torn by a crash nor one of an older file is ever taken for a record.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>

#include "budget/ledger_log.h"
#include "budget/ledger_store.h"

namespace claviger::budget {

inline constexpr std::size_t kSlotBytes = 128;
static_assert(std::endian::native == std::endian::little,
              "the journal is written through a mapping, in the machine's own byte order");

using SlotBytes = std::span<std::byte, kSlotBytes>;
using ConstSlotBytes = std::span<const std::byte, kSlotBytes>;

/// Writes `record` and then, with release order, its checksum. `slot` is aligned to 8 bytes,
/// zero, and the caller's alone.
void write_slot(SlotBytes slot, JournalPosition place, const LogRecord& record);

/// Whether a writer has finished with this slot. With acquire order: what it wrote is visible.
bool is_written(ConstSlotBytes slot);

enum class SlotError : std::uint8_t {
  unwritten,  ///< Its checksum is 0.
  torn,       ///< Its checksum is wrong: it never became a record, or is none any more.
};

/// Takes any bytes.
std::expected<LogRecord, SlotError> read_slot(ConstSlotBytes slot, JournalPosition place);

/// The first 128 bytes of a segment file:
///
///      0    8   "CLVJRNL1"
///      8    4   checksum: CRC-32C of the bytes 12 to 127
///     12    4   version: 1
///     16    4   bytes per slot: 128
///     20    4   0x01020304, which tells the byte order
///     24    8   segment number
///     32    8   number of slots
///     40   88   0
struct SegmentHead {
  std::uint64_t segment = 0;
  std::uint64_t slots = 0;
  friend bool operator==(const SegmentHead&, const SegmentHead&) = default;
};
std::array<std::byte, kSlotBytes> write_head(const SegmentHead& head);

enum class HeadError : std::uint8_t {
  no_journal,     ///< Not a segment of a journal, or damaged.
  other_version,  ///< Written by a version that this build does not know.
};
/// Takes any bytes.
std::expected<SegmentHead, HeadError> read_head(ConstSlotBytes bytes);

}  // namespace claviger::budget
