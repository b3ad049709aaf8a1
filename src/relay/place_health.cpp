#include "relay/place_health.h"

#include <fmt/format.h>

#include <algorithm>

namespace claviger::relay {
namespace {

std::string place_key(const route::Target& target) {
  if (!target.local_model.is_none()) return target.local_model.text();
  return fmt::format("{} {} {}", target.provider, target.base_url, target.provider_model);
}

std::string credential_key(const route::Target& target) {
  return target.credential.text();
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

bool PlaceHealth::is_ailing(const std::string& key, Instant now) const {
  const auto found = states_.find(key);
  return found != states_.end() && now < found->second.ailing_until;
}

bool PlaceHealth::is_ailing(const route::Target& target, Instant now) const {
  if (states_.empty()) return false;
  return is_ailing(place_key(target), now) ||
         (!target.credential.is_none() && is_ailing(credential_key(target), now));
}

void PlaceHealth::note(const std::string& key, bool did_well, Instant now) {
  if (did_well) {
    states_.erase(key);
    return;
  }
  // Forgetting is harmless: a place that still fails is back after a few requests.
  if (states_.size() >= kPlacesMax && !states_.contains(key)) states_.clear();
  State& state = states_[key];
  ++state.failures_in_a_row;
  if (state.failures_in_a_row < kFailuresMin) return;
  Duration pause = kPauseMin;
  for (int more = kFailuresMin; more < state.failures_in_a_row && pause < kPauseMax; ++more) {
    pause *= 2;
  }
  state.ailing_until = now + std::min(pause, kPauseMax);
}

void PlaceHealth::note(const route::Target& target, Fared fared, Instant now) {
  const bool has_credential = !target.credential.is_none();
  switch (fared) {
    case Fared::well:
      // The common case: nothing ails, and nothing is looked up.
      if (states_.empty()) return;
      note(place_key(target), true, now);
      if (has_credential) note(credential_key(target), true, now);
      return;
    case Fared::badly_itself:
      note(place_key(target), false, now);
      return;
    case Fared::badly_with_key:
      if (has_credential) note(credential_key(target), false, now);
      return;
    case Fared::not_its_doing:
      return;
  }
}

}  // namespace claviger::relay
