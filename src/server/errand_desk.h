#pragma once

/// Errands (console/errands.h): a relay of the control thread's own, and a pair of sockets
/// instead of a caller's connection, so that such a request takes the same way as any other.

#include "console/errands.h"
#include "net/provider_pool.h"
#include "net/server_connection.h"
#include "relay/relay.h"

namespace claviger::server {

/// Threads: the control thread only.
class ErrandDesk final : public console::Errands {
 public:
  struct Parts {
    net::Reactor& reactor;
    net::Egress& egress;
    budget::Ledger& ledger;
    record::Recorder& recorder;
    record::Metrics& metrics;
    route::Runner* runner;
    fault::FailureWindow* failures;
    const record::KeyHistories* keys;
    relay::PlaceHealth* health;
    net::BodyMemory& bodies;
  };
  ErrandDesk(const Parts& parts, const net::ServerLimits& caller, const relay::Limits& provider);

  void set_world(std::shared_ptr<const relay::Snapshot> world) {
    relay_.set_world(std::move(world));
  }
  void set_limits(const net::ServerLimits& caller, const relay::Limits& provider);

  Task<std::expected<void, std::string>> run(console::ErrandRequest request,
                                             Duration time_max) override;

 private:
  net::Reactor& reactor_;
  net::BodyMemory& bodies_;
  net::ServerLimits caller_limits_;
  relay::Limits provider_limits_;
  net::ProviderPool pool_;
  relay::Relay relay_;
  net::http::DateLine date_line_;
};

}  // namespace claviger::server
