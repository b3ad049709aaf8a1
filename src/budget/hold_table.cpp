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

Hold* HoldTable::Locked::find() const {
  if (stripe_.heads.empty()) return nullptr;
  const std::size_t head = (hash_ / kStripes) & (stripe_.heads.size() - 1);
  for (std::uint32_t at = stripe_.heads[head]; at != kNone; at = stripe_.nodes[at].next) {
    if (stripe_.nodes[at].hold.attempt == attempt_) return &stripe_.nodes[at].hold;
  }
  return nullptr;
}

void HoldTable::Locked::make_room() {
  if (stripe_.free != kNone) return;
  constexpr std::size_t kFirst = 16;
  const std::size_t before = stripe_.nodes.size();
  const std::size_t after = before == 0 ? kFirst : before * 2;
  std::vector<std::uint32_t> heads(after, kNone);
  stripe_.nodes.resize(after);
  // No free node: all those before are in use. Chain them anew, by the longer table.
  for (std::uint32_t at = 0; at < before; ++at) {
    Node& node = stripe_.nodes[at];
    std::uint32_t& head = heads[(hash_of(node.hold.attempt) / kStripes) & (after - 1)];
    node.next = std::exchange(head, at);
  }
  for (std::size_t at = before; at < after; ++at) {
    stripe_.nodes[at].next = std::exchange(stripe_.free, static_cast<std::uint32_t>(at));
  }
  stripe_.heads = std::move(heads);
}

Hold& HoldTable::Locked::insert() {
  make_room();
  const std::uint32_t at = stripe_.free;
  Node& node = stripe_.nodes[at];
  stripe_.free = node.next;
  std::uint32_t& head = stripe_.heads[(hash_ / kStripes) & (stripe_.heads.size() - 1)];
  node.next = std::exchange(head, at);
  node.hold = Hold{};
  node.hold.attempt = attempt_;
  ++stripe_.size;
  return node.hold;
}

void HoldTable::Locked::erase() {
  std::uint32_t* link = &stripe_.heads[(hash_ / kStripes) & (stripe_.heads.size() - 1)];
  while (stripe_.nodes[*link].hold.attempt != attempt_) link = &stripe_.nodes[*link].next;
  const std::uint32_t at = *link;
  *link = stripe_.nodes[at].next;
  stripe_.nodes[at].next = std::exchange(stripe_.free, at);
  --stripe_.size;
}

std::size_t HoldTable::size() const {
  std::size_t sum = 0;
  for (Stripe& stripe : stripes_) {
    const std::scoped_lock lock(stripe.mutex);
    sum += stripe.size;
  }
  return sum;
}

}  // namespace claviger::budget
