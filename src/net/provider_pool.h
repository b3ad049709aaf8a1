#pragma once

/// Connections to providers that are kept open between requests, one pool per reactor. Last
/// in, first out, so that the connections that are not needed grow old and are closed.

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/task.h"
#include "net/egress.h"
#include "net/stream.h"

namespace claviger::net {

class ProviderPool {
 public:
  struct Options {
    Duration keep_idle = std::chrono::seconds(55);  ///< Below the usual 60 s of load balancers.
    std::size_t idle_per_endpoint_max = 512;
    std::size_t idle_max = 4096;
  };

  ProviderPool(Reactor& reactor, Egress& egress) : ProviderPool(reactor, egress, Options{}) {}
  ProviderPool(Reactor& reactor, Egress& egress, Options options);
  ~ProviderPool();

  struct Connection {
    Stream stream;
    bool reused = false;
  };

  /// A connection that was open a moment ago, or a new one. `key` is `endpoint.key()`, worked
  /// out once by whoever keeps the endpoint.
  Task<std::expected<Connection, ConnectFailure>> acquire(const Endpoint& endpoint,
                                                          const std::string& key,
                                                          Deadline deadline);
  /// Takes back a connection whose last answer has been read to its end.
  void release(const std::string& key, Stream stream);

  std::size_t idle() const { return idle_; }
  /// Closes what is idle for too long. Called now and then by the pool itself.
  void sweep();
  void close_idle();

 private:
  struct Idle;
  struct Shelf {
    std::vector<std::unique_ptr<Idle>> idle;
  };
  void drop(Idle& idle);

  Reactor& reactor_;
  Egress& egress_;
  const Options options_;
  std::unordered_map<std::string, Shelf> shelves_;
  std::size_t idle_ = 0;
  Instant swept_at_;
};

}  // namespace claviger::net
