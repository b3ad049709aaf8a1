#pragma once

/// One thread that serves callers: its reactor, its listener, its provider connections, its
/// relay. Workers share nothing on a request's way but the ledger and atomics.

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "net/listener.h"
#include "net/provider_pool.h"
#include "net/reactor.h"
#include "net/server_connection.h"
#include "relay/relay.h"
#include "server/front_door.h"

namespace claviger::server {

class Worker {
 public:
  struct Parts {
    const Clock& clock;
    net::Egress& egress;
    budget::Ledger& ledger;
    record::Recorder& recorder;
    record::Metrics& metrics;
    route::Runner* runner;
    relay::History* history;
    fault::FailureWindow* failures;
    const record::KeyHistories* keys;
    relay::PlaceHealth* health;
    record::ContentKeeper* contents;
    ControlDesk& desk;
    EventFeed& events;
    std::shared_ptr<net::TlsContext> tls;  ///< Null: plain.
    std::size_t connections_max;
    net::ServerLimits caller_limits;
    net::BodyMemory& bodies;
    relay::Limits provider_limits;
    bool only_local_names;
  };
  explicit Worker(Parts parts);
  ~Worker();

  /// Binds. Error: a sentence.
  std::expected<std::uint16_t, std::string> listen(const net::ListenAddress& address);
  /// Starts the thread.
  void start();
  /// Begins to accept: once it has a world to serve from.
  void open();

  /// Threads: any. Returns at once; `when_done` runs on this worker's thread.
  void set_world(std::shared_ptr<const relay::Snapshot> world, std::function<void()> when_done);
  void set_passed(std::shared_ptr<const alert::PassedThresholds> passed);
  void set_limits(const net::ServerLimits& caller, const relay::Limits& provider);
  /// Stops accepting, lets running requests finish, closes idle connections.
  void drain();
  /// Breaks off what is still running.
  void cancel_all();
  std::size_t open_connections() const { return door_.open_connections(); }
  /// Ends the thread.
  void stop();

  net::Reactor& reactor() { return reactor_; }

 private:
  net::Reactor reactor_;
  net::ServerLimits caller_limits_;
  relay::Limits provider_limits_;
  net::ProviderPool pool_;
  relay::Relay relay_;
  FrontDoor door_;
  std::unique_ptr<net::Listener> listener_;
  std::thread thread_;
};

}  // namespace claviger::server
