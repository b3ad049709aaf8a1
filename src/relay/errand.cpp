/// Requests in a caller's place: what is different on their way (errand.h).

#include "relay/errand.h"

#include <algorithm>

#include "relay/failure.h"
#include "relay/relay.h"
#include "relay/surfaces.h"

namespace claviger::relay {

Task<void> Relay::serve_errand(net::ServerConnection& caller, const net::http::Target& target,
                               Errand errand) {
  const auto surface = surface_at(target.path);
  const api::Dialect& dialect =
      *api::dialect_for(surface ? surface->dialect : exchange::DialectId::openai);
  if (!surface) {
    return answer_error(caller, dialect, unknown_path(caller.head().method, target.path), nullptr);
  }
  return serve_call(caller, target, dialect, *surface, errand);
}

std::expected<const access::VirtualKey*, Failure> Relay::key_behind(const Errand& errand) const {
  const auto* const key = world_->directory->find_key(errand.key);
  if (key == nullptr) return std::unexpected(key_refused(access::AccessError::unknown));
  if (key->revoked_at) return std::unexpected(key_refused(access::AccessError::revoked));
  const WallTime now = parts_.reactor.clock().wall_now();
  if (key->expires_at && *key->expires_at <= now) {
    return std::unexpected(key_refused(access::AccessError::expired));
  }
  return key;
}

Done Relay::keep_to_credential(Job& job) {
  if (!job.errand || job.errand->credential.is_none()) return {};
  const auto is_meant = [&](const route::Target& target) {
    return target.credential == job.errand->credential;
  };
  if (!is_meant(job.attempt.target)) {
    const auto found = std::ranges::find_if(job.alternatives, is_meant);
    if (found == job.alternatives.end()) return std::unexpected(errand_elsewhere());
    job.attempt.target = std::move(*found);
  }
  job.alternatives.clear();
  return {};
}

Done Relay::keep_to_amount(const Job& job) {
  if (!job.errand || !job.errand->cost_max) return {};
  if (job.attempt.bound.cost_max <= *job.errand->cost_max) return {};
  return std::unexpected(errand_too_dear(job.attempt.bound.cost_max, *job.errand->cost_max));
}

}  // namespace claviger::relay
