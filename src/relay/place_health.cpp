#include "relay/place_health.h"

#include <algorithm>
#include <functional>

namespace claviger::relay {
namespace {

std::uint64_t mixed(std::uint64_t a, std::uint64_t b) {
  return (a ^ (b + 0x9E3779B97F4A7C15U + (a << 6) + (a >> 2))) * 0xFF51AFD7ED558CCDU;
}

std::uint64_t hash_of(std::string_view text) {
  return std::hash<std::string_view>()(text);
}

/// Never 0, which marks a free slot.
std::uint64_t place_key(const route::Target& target) {
  if (!target.local_model.is_none()) {
    return mixed(1, static_cast<std::uint64_t>(target.local_model.value)) | 1;
  }
  return mixed(mixed(hash_of(target.provider), hash_of(target.base_url)),
               hash_of(target.provider_model)) |
         1;
}

std::uint64_t credential_key(const route::Target& target) {
  return mixed(2, static_cast<std::uint64_t>(target.credential.value)) | 1;
}

}  // namespace

Fared fared(std::string_view at_fault) {
  if (at_fault == "provider" || at_fault == "network" || at_fault == "model") {
    return Fared::badly_itself;
  }
  if (at_fault == "key" || at_fault == "account") return Fared::badly_with_key;
  if (at_fault == "budget" || at_fault == "gateway") return Fared::not_its_doing;
  return Fared::well;
}

const PlaceHealth::Slot* PlaceHealth::find(std::uint64_t key) const {
  for (std::size_t i = 0; i < kProbes; ++i) {
    const Slot& slot = slots_[(key / 2 + i) % kPlacesMax];
    const std::uint64_t there = slot.key.load(std::memory_order_acquire);
    if (there == key) return &slot;
    if (there == 0) return nullptr;
  }
  return nullptr;
}

PlaceHealth::Slot& PlaceHealth::find_or_take(std::uint64_t key) {
  for (std::size_t i = 0; i < kProbes; ++i) {
    Slot& slot = slots_[(key / 2 + i) % kPlacesMax];
    std::uint64_t there = slot.key.load(std::memory_order_acquire);
    if (there == key) return slot;
    if (there == 0 && slot.key.compare_exchange_strong(there, key, std::memory_order_acq_rel)) {
      return slot;
    }
    if (there == key) return slot;
  }
  // All around are taken: one that does well, else the first, makes room.
  Slot* room = &slots_[key / 2 % kPlacesMax];
  for (std::size_t i = 0; i < kProbes; ++i) {
    Slot& slot = slots_[(key / 2 + i) % kPlacesMax];
    if (slot.failures_in_a_row.load(std::memory_order_relaxed) == 0) {
      room = &slot;
      break;
    }
  }
  if (room->failures_in_a_row.exchange(0, std::memory_order_relaxed) > 0) {
    failing_.fetch_sub(1, std::memory_order_relaxed);
  }
  room->ailing_until.store(0, std::memory_order_relaxed);
  room->key.store(key, std::memory_order_release);
  return *room;
}

bool PlaceHealth::is_ailing(std::uint64_t key, Instant now) const {
  const Slot* const slot = find(key);
  return slot != nullptr &&
         now.time_since_epoch().count() < slot->ailing_until.load(std::memory_order_relaxed);
}

bool PlaceHealth::is_ailing(const route::Target& target, Instant now) const {
  if (failing_.load(std::memory_order_relaxed) == 0) return false;
  return is_ailing(place_key(target), now) ||
         (!target.credential.is_none() && is_ailing(credential_key(target), now));
}

void PlaceHealth::note_failure(std::uint64_t key, Instant now) {
  Slot& slot = find_or_take(key);
  const int failures = slot.failures_in_a_row.fetch_add(1, std::memory_order_relaxed) + 1;
  if (failures == 1) failing_.fetch_add(1, std::memory_order_relaxed);
  if (failures < kFailuresMin) return;
  Duration pause = kPauseMin;
  for (int more = kFailuresMin; more < failures && pause < kPauseMax; ++more) pause *= 2;
  slot.ailing_until.store((now + std::min(pause, kPauseMax)).time_since_epoch().count(),
                          std::memory_order_relaxed);
}

void PlaceHealth::note_success(std::uint64_t key) {
  const Slot* const found = find(key);
  if (found == nullptr) return;
  Slot& slot = slots_[static_cast<std::size_t>(found - slots_.data())];
  if (slot.failures_in_a_row.load(std::memory_order_relaxed) == 0) return;
  if (slot.failures_in_a_row.exchange(0, std::memory_order_relaxed) > 0) {
    failing_.fetch_sub(1, std::memory_order_relaxed);
  }
  slot.ailing_until.store(0, std::memory_order_relaxed);
}

void PlaceHealth::note(const route::Target& target, Fared fared, Instant now) {
  const bool has_credential = !target.credential.is_none();
  switch (fared) {
    case Fared::well:
      if (failing_.load(std::memory_order_relaxed) == 0) return;
      note_success(place_key(target));
      if (has_credential) note_success(credential_key(target));
      return;
    case Fared::badly_itself:
      note_failure(place_key(target), now);
      return;
    case Fared::badly_with_key:
      if (has_credential) note_failure(credential_key(target), now);
      return;
    case Fared::not_its_doing:
      return;
  }
}

}  // namespace claviger::relay
