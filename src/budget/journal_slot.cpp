#include "budget/journal_slot.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>

#include "budget/crc32c.h"

namespace claviger::budget {
namespace {

constexpr std::size_t kIdBytes = 5;
constexpr std::size_t kIdsAt = 56;
constexpr std::size_t kPeriodsAt = kIdsAt + kIdBytes * BudgetSet::kMost;
static_assert(kPeriodsAt + 4 * BudgetSet::kMost == kSlotBytes);
static_assert(kBudgetIdMax.value < (std::int64_t{1} << (8 * kIdBytes)));

constexpr std::array<std::byte, 8> kMagic{std::byte{'C'}, std::byte{'L'}, std::byte{'V'},
                                          std::byte{'J'}, std::byte{'R'}, std::byte{'N'},
                                          std::byte{'L'}, std::byte{'1'}};
constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kByteOrder = 0x01020304;

template <typename Integer>
void put(std::span<std::byte> bytes, std::size_t at, Integer value) {
  std::memcpy(bytes.subspan(at, sizeof value).data(), &value, sizeof value);
}

template <typename Integer>
Integer get(std::span<const std::byte> bytes, std::size_t at) {
  Integer value{};
  std::memcpy(&value, bytes.subspan(at, sizeof value).data(), sizeof value);
  return value;
}

std::uint32_t checksum_of(ConstSlotBytes slot, JournalPosition place) {
  std::array<std::byte, 16> where{};
  put(where, 0, place.segment);
  put(where, 8, place.slot);
  const std::uint32_t checksum = crc32c(slot.subspan<4>(), crc32c(where));
  return checksum == 0 ? 1 : checksum;
}

}  // namespace

void write_slot(SlotBytes slot, JournalPosition place, const LogRecord& record) {
  std::array<std::byte, kSlotBytes> bytes{};
  put(bytes, 4, static_cast<std::uint8_t>(record.type));
  put(bytes, 5, static_cast<std::uint8_t>(record.certainty));
  put(bytes, 6, static_cast<std::uint8_t>(record.budgets.size()));
  put(bytes, 8, record.attempt.request.high);
  put(bytes, 16, record.attempt.request.low);
  put(bytes, 24, record.attempt.number);
  put(bytes, 28, record.note);
  put(bytes, 32, record.held.nanos());
  put(bytes, 40, record.cost.nanos());
  put(bytes, 48, unix_micros(record.at));
  std::size_t index = 0;
  for (const HeldOn& item : record.budgets.items()) {
    std::memcpy(&bytes[kIdsAt + kIdBytes * index], &item.budget.value, kIdBytes);
    const auto minutes =
        std::chrono::floor<std::chrono::minutes>(item.period_start.time_since_epoch());
    put(bytes, kPeriodsAt + 4 * index, static_cast<std::uint32_t>(minutes.count()));
    ++index;
  }
  std::memcpy(&slot[4], &bytes[4], kSlotBytes - 4);
  auto& checksum = *reinterpret_cast<std::uint32_t*>(slot.data());
  std::atomic_ref<std::uint32_t>(checksum).store(checksum_of(bytes, place),
                                                 std::memory_order_release);
}

bool is_written(ConstSlotBytes slot) {
  // atomic_ref wants a reference that could be written; nothing is.
  auto& checksum = *const_cast<std::uint32_t*>(reinterpret_cast<const std::uint32_t*>(slot.data()));
  return std::atomic_ref<std::uint32_t>(checksum).load(std::memory_order_acquire) != 0;
}

std::expected<LogRecord, SlotError> read_slot(ConstSlotBytes slot, JournalPosition place) {
  const auto checksum = get<std::uint32_t>(slot, 0);
  if (checksum == 0) return std::unexpected(SlotError::unwritten);
  if (checksum != checksum_of(slot, place)) return std::unexpected(SlotError::torn);

  const auto type = get<std::uint8_t>(slot, 4);
  const auto certainty = get<std::uint8_t>(slot, 5);
  const auto budgets = get<std::uint8_t>(slot, 6);
  LogRecord record;
  record.type = static_cast<LogRecord::Type>(type);
  record.certainty = static_cast<Certainty>(certainty);
  record.attempt.request.high = get<std::uint64_t>(slot, 8);
  record.attempt.request.low = get<std::uint64_t>(slot, 16);
  record.attempt.number = get<std::uint32_t>(slot, 24);
  record.note = get<std::uint32_t>(slot, 28);
  record.held = NanoUsd(get<std::int64_t>(slot, 32));
  record.cost = NanoUsd(get<std::int64_t>(slot, 40));
  record.at = from_unix_micros(get<std::int64_t>(slot, 48));
  if (type < 1 || type > 3 || certainty > static_cast<std::uint8_t>(Certainty::quarantined) ||
      budgets > BudgetSet::kMost || record.held.is_negative() || record.cost.is_negative()) {
    return std::unexpected(SlotError::torn);
  }
  for (std::size_t index = 0; index < budgets; ++index) {
    HeldOn item;
    std::memcpy(&item.budget.value, &slot[kIdsAt + kIdBytes * index], kIdBytes);
    item.period_start =
        WallTime(std::chrono::minutes(get<std::uint32_t>(slot, kPeriodsAt + 4 * index)));
    if (!record.budgets.add(item)) return std::unexpected(SlotError::torn);
  }
  return record;
}

std::array<std::byte, kSlotBytes> write_head(const SegmentHead& head) {
  std::array<std::byte, kSlotBytes> bytes{};
  std::ranges::copy(kMagic, bytes.begin());
  put(bytes, 12, kVersion);
  put(bytes, 16, static_cast<std::uint32_t>(kSlotBytes));
  put(bytes, 20, kByteOrder);
  put(bytes, 24, head.segment);
  put(bytes, 32, head.slots);
  put(bytes, 8, crc32c(std::span(bytes).subspan<12>()));
  return bytes;
}

std::expected<SegmentHead, HeadError> read_head(ConstSlotBytes bytes) {
  if (!std::ranges::equal(bytes.first<8>(), kMagic) ||
      get<std::uint32_t>(bytes, 8) != crc32c(bytes.subspan<12>())) {
    return std::unexpected(HeadError::no_journal);
  }
  if (get<std::uint32_t>(bytes, 12) != kVersion || get<std::uint32_t>(bytes, 16) != kSlotBytes ||
      get<std::uint32_t>(bytes, 20) != kByteOrder) {
    return std::unexpected(HeadError::other_version);
  }
  return SegmentHead{get<std::uint64_t>(bytes, 24), get<std::uint64_t>(bytes, 32)};
}

}  // namespace claviger::budget
