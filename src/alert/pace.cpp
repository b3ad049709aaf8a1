#include "alert/pace.h"

#include <algorithm>

namespace claviger::alert {
namespace {

constexpr std::int64_t kSlotUs =
    std::chrono::duration_cast<std::chrono::microseconds>(kSlot).count();

std::int64_t slot_of(WallTime at) {
  return unix_micros(at) / kSlotUs;
}

/// a * b / c in 128 bits, saturating; c > 0, all >= 0.
std::int64_t scaled(std::int64_t a, std::int64_t b, std::int64_t c) {
  const auto value = static_cast<__int128>(a) * b / c;
  return value > NanoUsd::max().nanos() ? NanoUsd::max().nanos() : static_cast<std::int64_t>(value);
}

}  // namespace

NanoUsd Rate::per_day() const {
  return NanoUsd(scaled(amount.nanos(), 86'400, over.count()));
}

std::optional<WallTime> used_up_at(const Rate& rate, NanoUsd left, WallTime now) {
  const std::int64_t seconds = scaled(left.nanos(), rate.over.count(), rate.amount.nanos());
  if (std::chrono::seconds(seconds) > kForecastMax) return std::nullopt;
  return now + std::chrono::seconds(seconds);
}

void Paces::restore(const std::vector<PaceSample>& samples) {
  for (const PaceSample& sample : samples) {
    const auto [found, is_new] = tracks_.try_emplace(sample.budget);
    Track& track = found->second;
    if (is_new) {
      // What had been spent before the first sample is not known to be of that slot.
      track.first_slot = track.slot = sample.slot;
      track.period_start = sample.period_start;
      track.spent = sample.spent;
      continue;
    }
    if (sample.slot < track.slot) continue;
    move_to(track, sample.slot);
    count(track, sample.period_start, sample.spent);
  }
}

void Paces::observe(BudgetId budget, WallTime period_start, NanoUsd spent, WallTime now,
                    std::vector<PaceSample>& to_keep) {
  const std::int64_t slot = slot_of(now);
  const auto [found, is_new] = tracks_.try_emplace(budget);
  Track& track = found->second;
  if (is_new) {
    track.first_slot = track.slot = slot;
    track.period_start = period_start;
    track.spent = spent;
    to_keep.push_back({budget, slot, period_start, spent});
    return;
  }
  // A clock that went back: the slot that runs goes on.
  if (slot > track.slot) {
    to_keep.push_back({budget, track.slot, track.period_start, track.spent});
    move_to(track, slot);
  }
  count(track, period_start, spent);
}

void Paces::move_to(Track& track, std::int64_t slot) {
  if (slot - track.slot >= static_cast<std::int64_t>(kSlotsInMemory)) {
    track.nanos.fill(0);
  } else {
    for (std::int64_t passed = track.slot + 1; passed <= slot; ++passed) {
      track.nanos[static_cast<std::size_t>(passed) % kSlotsInMemory] = 0;
    }
  }
  track.slot = slot;
}

void Paces::count(Track& track, WallTime period_start, NanoUsd spent) {
  const NanoUsd before = period_start == track.period_start ? track.spent : NanoUsd(0);
  // A correction can lower what was spent; that is no spending.
  if (spent > before) {
    std::int64_t& nanos = track.nanos[static_cast<std::size_t>(track.slot) % kSlotsInMemory];
    nanos = (NanoUsd(nanos) + (spent - before)).nanos();
  }
  track.period_start = period_start;
  track.spent = spent;
}

std::optional<Rate> Paces::rate(BudgetId budget, WallTime now) const {
  const auto found = tracks_.find(budget);
  if (found == tracks_.end()) return std::nullopt;
  const Track& track = found->second;
  // Slots that are over: the one that runs would count as less than it will be. The first one
  // was not watched from its beginning.
  const std::int64_t current = std::max(slot_of(now), track.slot);
  const std::int64_t begin =
      std::max(track.first_slot + 1, current - static_cast<std::int64_t>(kSlotsWatched));
  std::vector<std::int64_t> slots;
  for (std::int64_t slot = begin; slot < current; ++slot) {
    slots.push_back(
        slot > track.slot ? 0 : track.nanos[static_cast<std::size_t>(slot) % kSlotsInMemory]);
  }
  const auto busy = static_cast<std::size_t>(
      std::ranges::count_if(slots, [](std::int64_t nanos) { return nanos > 0; }));
  if (slots.size() < kSlotsLeast || busy < kBusySlotsLeast) return std::nullopt;

  // The fullest tenth, rounded up, counts as the fullest of the others.
  std::ranges::sort(slots);
  const std::size_t bursts = (slots.size() + kSlotsPerBurst - 1) / kSlotsPerBurst;
  const std::int64_t most = slots[slots.size() - bursts - 1];
  NanoUsd amount;
  for (const std::int64_t nanos : slots) amount += NanoUsd(std::min(nanos, most));
  if (amount <= NanoUsd(0)) return std::nullopt;
  return Rate{.amount = amount,
              .over = std::chrono::duration_cast<std::chrono::seconds>(kSlot) *
                      static_cast<std::int64_t>(slots.size())};
}

}  // namespace claviger::alert
