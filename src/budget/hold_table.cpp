#include "budget/hold_table.h"

namespace claviger::budget {

std::uint64_t HoldTable::hash_of(const AttemptId& attempt) {
  std::uint64_t hash = std::hash<AttemptId>{}(attempt);
  hash ^= hash >> 32;
  hash *= 0x9E3779B97F4A7C15ull;
  return hash ^ (hash >> 29);
}

HoldTable::Locked::Locked(HoldTable& table, const AttemptId& attempt)
    : attempt_(attempt),
      hash_(hash_of(attempt)),
      stripe_(table.stripes_[hash_ % kStripes]),
      lock_(stripe_.mutex) {}

std::size_t HoldTable::Locked::place() const {
  const std::size_t mask = stripe_.index.size() - 1;
  const std::uint32_t tag = tag_of(hash_);
  for (std::size_t at = tag & mask;; at = (at + 1) & mask) {
    const Place& place = stripe_.index[at];
    if (place.node == kNone) return at;
    if (place.tag == tag && stripe_.nodes[place.node].attempt == attempt_) return at;
  }
}

Hold* HoldTable::Locked::find() const {
  if (stripe_.size == 0) return nullptr;
  const std::uint32_t node = stripe_.index[place()].node;
  return node == kNone ? nullptr : &stripe_.nodes[node];
}

void HoldTable::Locked::make_room() {
  if (stripe_.free != kNone) return;
  constexpr std::size_t kFirst = 16;
  const std::size_t before = stripe_.nodes.size();
  const std::size_t after = before == 0 ? kFirst : before * 2;
  std::vector<Place> index(after * 2);
  for (const Place& place : stripe_.index) {
    if (place.node == kNone) continue;
    std::size_t at = place.tag & (index.size() - 1);
    while (index[at].node != kNone) at = (at + 1) & (index.size() - 1);
    index[at] = place;
  }
  stripe_.nodes.resize(after);
  stripe_.index = std::move(index);
  for (std::size_t node = after; node > before; --node) {
    stripe_.nodes[node - 1].written_up_to =
        std::exchange(stripe_.free, static_cast<std::uint32_t>(node - 1));
  }
}

Hold& HoldTable::Locked::insert() {
  make_room();
  const std::uint32_t node = stripe_.free;
  Hold& hold = stripe_.nodes[node];
  stripe_.free = static_cast<std::uint32_t>(hold.written_up_to);
  stripe_.index[place()] = {tag_of(hash_), node};
  ++stripe_.size;
  hold = Hold{};
  hold.attempt = attempt_;
  return hold;
}

void HoldTable::Locked::erase() {
  const std::size_t mask = stripe_.index.size() - 1;
  std::size_t hole = place();
  const std::uint32_t node = stripe_.index[hole].node;
  stripe_.nodes[node].written_up_to = std::exchange(stripe_.free, node);
  --stripe_.size;
  // Those behind move up, unless they would come to stand before the place that is theirs.
  for (std::size_t at = (hole + 1) & mask; stripe_.index[at].node != kNone; at = (at + 1) & mask) {
    const std::size_t own = stripe_.index[at].tag & mask;
    if (((at - own) & mask) < ((at - hole) & mask)) continue;
    stripe_.index[hole] = stripe_.index[at];
    hole = at;
  }
  stripe_.index[hole] = {};
}

std::size_t HoldTable::size() const {
  std::size_t sum = 0;
  for (Stripe& stripe : stripes_) {
    const std::scoped_lock lock(stripe.mutex);
    sum += stripe.size;
  }
  return sum;
}

std::size_t HoldTable::capacity() const {
  std::size_t sum = 0;
  for (Stripe& stripe : stripes_) {
    const std::scoped_lock lock(stripe.mutex);
    sum += stripe.nodes.size();
  }
  return sum;
}

}  // namespace claviger::budget
