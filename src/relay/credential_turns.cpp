#include "relay/credential_turns.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace claviger::relay {

double CredentialTurns::lately(const Load& load, Instant now) {
  const std::chrono::duration<double> ago = std::max(now - load.at, Duration::zero());
  return load.tokens * std::exp2(-ago / std::chrono::duration<double>(kHalfLife));
}

CredentialTurns::Load& CredentialTurns::load_of(CredentialId credential) {
  // Only those that nothing is under way with may be forgotten.
  if (loads_.size() >= kCredentialsMax && !loads_.contains(credential.value)) {
    std::erase_if(loads_, [](const auto& one) { return one.second.under_way == 0; });
  }
  return loads_[credential.value];
}

std::vector<std::size_t> CredentialTurns::order(route::Rotation rotation, std::size_t list,
                                                const std::vector<CredentialId>& places,
                                                Instant now) {
  std::vector<std::size_t> numbers(places.size());
  std::iota(numbers.begin(), numbers.end(), std::size_t{0});
  if (rotation == route::Rotation::in_order || places.size() < 2) return numbers;
  if (turns_.size() >= kListsMax && !turns_.contains(list)) turns_.clear();
  // Also where the least used is asked for: of those that are used alike, each gets its turn.
  const std::size_t turn = turns_[list]++ % places.size();
  std::ranges::rotate(numbers, numbers.begin() + static_cast<std::ptrdiff_t>(turn));
  if (rotation == route::Rotation::least_used) {
    const auto load = [&](std::size_t number) {
      const auto found = loads_.find(places[number].value);
      if (found == loads_.end()) return std::pair(std::int64_t{0}, 0.0);
      return std::pair(found->second.under_way, lately(found->second, now));
    };
    std::ranges::stable_sort(numbers, {}, load);
  }
  return numbers;
}

CredentialTurns::Use::Use(CredentialTurns& turns, CredentialId credential)
    : turns_(&turns), credential_(credential) {
  ++turns.load_of(credential).under_way;
}

CredentialTurns::Use::~Use() {
  if (turns_ != nullptr) --turns_->load_of(credential_).under_way;
}

void CredentialTurns::Use::used(std::int64_t tokens, Instant now) {
  if (turns_ == nullptr) return;
  Load& load = turns_->load_of(credential_);
  load.tokens = lately(load, now) + static_cast<double>(std::max<std::int64_t>(tokens, 0));
  load.at = now;
}

}  // namespace claviger::relay
