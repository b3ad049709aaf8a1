#pragma once

/// Delivers messages as signed HTTP POST requests. Through the one way out, so that an owner's
/// URL leads nowhere that the operator has not allowed; redirects are never followed, since they
/// would lead elsewhere after the check, and carry a signed message to whoever asked for it.

#include "alert/deliverer.h"
#include "net/egress.h"
#include "vault/vault.h"

namespace claviger::deliver {

/// Threads: the control thread only (as the vault).
class Webhooks {
 public:
  /// All outlive this.
  Webhooks(const Clock& clock, net::Reactor& reactor, net::Egress& egress, vault::Vault& vault)
      : clock_(clock), reactor_(reactor), egress_(egress), vault_(vault) {}

  Task<alert::DeliveryOutcome> post(const alert::Channel& channel, const alert::Message& message,
                                    Deadline deadline);

 private:
  const Clock& clock_;
  net::Reactor& reactor_;
  net::Egress& egress_;
  vault::Vault& vault_;
};

/// What an answer's status means. `retry_after` is that header's value, in seconds, or empty.
alert::DeliveryOutcome outcome_of(int status, std::string_view retry_after);

}  // namespace claviger::deliver
