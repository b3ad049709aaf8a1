#include "budget/journal_slot.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string_view>

#include "budget/crc32c.h"

namespace claviger::budget {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

TEST(Crc32c, AgreesWithThePublishedValues) {
  // RFC 3720 appendix B.4, and the customary check value.
  EXPECT_EQ(crc32c(bytes_of("123456789")), 0xE3069283u);
  const std::array<std::byte, 32> zeros{};
  EXPECT_EQ(crc32c(zeros), 0x8A9136AAu);
  std::array<std::byte, 32> ones{};
  ones.fill(std::byte{0xFF});
  EXPECT_EQ(crc32c(ones), 0x62A8AB43u);
}

TEST(Crc32c, HardwareAndTableAgreeInPiecesToo) {
  constexpr unsigned kSeed = 3;
  std::mt19937 random(kSeed);
  std::array<std::byte, 200> bytes{};
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    const auto all = std::span<const std::byte>(bytes);
    EXPECT_EQ(crc32c(all.subspan(cut), crc32c(all.first(cut))), crc32c_detail::by_table(all, 0));
  }
}

LogRecord some_record() {
  LogRecord record{.type = LogRecord::Type::correct,
                   .certainty = Certainty::reconciled,
                   .attempt = {.request = {0x0123456789ABCDEF, 0xFEDCBA9876543210}, .number = 3},
                   .held = NanoUsd(1'234'567'890'123),
                   .cost = NanoUsd::max(),
                   .at = from_unix_micros(1'795'000'000'123'456),
                   .budgets = {}};
  for (std::int64_t index = 0; index < 8; ++index) {
    EXPECT_TRUE(record.budgets.add({BudgetId{kBudgetIdMax.value - index},
                                    WallTime(std::chrono::minutes(29'000'000 + index))}));
  }
  return record;
}

TEST(JournalSlot, WhatIsWrittenIsRead) {
  alignas(8) std::array<std::byte, kSlotBytes> slot{};
  EXPECT_FALSE(is_written(slot));

  write_slot(slot, {5, 6}, some_record());

  EXPECT_TRUE(is_written(slot));
  EXPECT_EQ(read_slot(slot, {5, 6}), some_record());
}

TEST(JournalSlot, ZeroBytesAreUnwritten) {
  const std::array<std::byte, kSlotBytes> slot{};

  EXPECT_EQ(read_slot(slot, {5, 6}), std::unexpected(SlotError::unwritten));
}

TEST(JournalSlot, ASlotOfAnotherPlaceIsNoRecord) {
  alignas(8) std::array<std::byte, kSlotBytes> slot{};
  write_slot(slot, {5, 6}, some_record());

  EXPECT_EQ(read_slot(slot, {5, 7}), std::unexpected(SlotError::torn));
  EXPECT_EQ(read_slot(slot, {6, 6}), std::unexpected(SlotError::torn));
}

TEST(JournalSlot, EveryFlippedBitIsNoticed) {
  alignas(8) std::array<std::byte, kSlotBytes> slot{};
  write_slot(slot, {5, 6}, some_record());
  for (std::size_t bit = 0; bit < 8 * kSlotBytes; ++bit) {
    slot[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(read_slot(slot, {5, 6})) << "bit " << bit;
    slot[bit / 8] ^= std::byte{1} << (bit % 8);
  }
  EXPECT_TRUE(read_slot(slot, {5, 6}));
}

TEST(JournalSlot, ARecordCutAnywhereIsNoRecord) {
  alignas(8) std::array<std::byte, kSlotBytes> whole{};
  write_slot(whole, {5, 6}, some_record());
  for (std::size_t kept = 0; kept < kSlotBytes; ++kept) {
    std::array<std::byte, kSlotBytes> slot{};
    std::copy_n(whole.begin(), kept, slot.begin());
    if (std::equal(slot.begin(), slot.end(), whole.begin())) continue;  // It ends with zeros.
    EXPECT_FALSE(read_slot(slot, {5, 6})) << kept << " bytes";
  }
}

TEST(SegmentHead, IsReadBackAndRefusedWhenDamagedOrUnknown) {
  const SegmentHead head{.segment = 9, .slots = 4096};
  auto bytes = write_head(head);
  EXPECT_EQ(read_head(bytes), head);

  for (std::size_t at = 0; at < kSlotBytes; ++at) {
    bytes[at] ^= std::byte{0x40};
    EXPECT_EQ(read_head(bytes), std::unexpected(HeadError::no_journal)) << "byte " << at;
    bytes[at] ^= std::byte{0x40};
  }
  bytes[12] = std::byte{2};  // A later version, in good order.
  const std::uint32_t checksum = crc32c(std::span(bytes).subspan<12>());
  std::memcpy(&bytes[8], &checksum, sizeof checksum);
  EXPECT_EQ(read_head(bytes), std::unexpected(HeadError::other_version));
}

}  // namespace
}  // namespace claviger::budget
