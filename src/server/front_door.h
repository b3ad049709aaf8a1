#pragma once

/// Where connections come in and are told apart: callers' surfaces, the control API, health,
/// metrics. The root of every connection's coroutines, and the one place that catches what
/// nobody should have thrown.

#include <atomic>
#include <memory>
#include <optional>
#include <unordered_set>

#include "console/control.h"
#include "net/server_connection.h"
#include "record/metrics.h"
#include "relay/relay.h"
#include "server/event_feed.h"

namespace claviger::server {

/// The way to the control thread. Suspends the connection, which goes on on its own thread.
class ControlDesk {
 public:
  virtual ~ControlDesk() = default;
  /// The name of whoever holds this admin key.
  virtual Task<std::expected<std::string, access::AccessError>> recognise(Secret presented) = 0;
  virtual Task<console::ControlAnswer> handle(console::ControlRequest request) = 0;
  /// What came behind event `number`, or, without one, nothing but the number of the latest.
  struct Events {
    std::int64_t newest = 0;
    std::vector<console::Control::Event> events;
  };
  virtual Task<Events> events_after(std::optional<std::int64_t> number) = 0;
  /// The page behind a shared address, in HTML.
  virtual Task<std::optional<std::string>> shared_page(std::string token) = 0;
  /// Whether requests can be served: the database answers, and we are not draining.
  virtual bool is_ready() const = 0;
  /// Brings gauges up to date before metrics are rendered.
  virtual void refresh(record::Metrics& metrics) = 0;
};

/// Threads: its reactor's thread only, but open_connections().
class FrontDoor {
 public:
  enum class Who : std::uint8_t {
    callers,   ///< Anybody; the control API asks for an admin key.
    operator_  ///< The local socket, whose peer has been checked: no key is asked for.
  };
  struct Parts {
    net::Reactor& reactor;
    relay::Relay* relay;  ///< Null: no callers' surfaces here.
    ControlDesk& desk;
    EventFeed& events;
    record::Metrics& metrics;
    std::shared_ptr<net::TlsContext> tls;
    std::size_t connections_max;
    const net::ServerLimits& limits;
    net::BodyMemory& bodies;
    Who who;
    /// We listen on loopback only, so whoever calls us by another name was led here by DNS.
    bool only_local_names = false;
  };
  explicit FrontDoor(Parts parts) : parts_(std::move(parts)) {}

  /// Serves the connection to its end; closes it at once where there are too many.
  void admit(net::Stream stream);
  void close_idle();
  void cancel_all();
  std::size_t open_connections() const { return open_.load(std::memory_order_relaxed); }

 private:
  Task<void> serve(net::Stream stream);
  Task<void> serve_requests(net::ServerConnection& connection);
  Task<void> answer_one(net::ServerConnection& connection);
  Task<void> answer_own(net::ServerConnection& connection, const net::http::Target& target);
  Task<void> answer_control(net::ServerConnection& connection, const net::http::Target& target,
                            std::string who);
  /// Server-sent events (HTML Standard, 9.2), for as long as the caller stays.
  Task<void> answer_events(net::ServerConnection& connection, const net::http::Target& target);
  Task<net::IoResult<std::int64_t>> send_events(net::ServerConnection& connection,
                                                std::int64_t last);
  /// What was shared for anybody who has the address.
  Task<void> answer_shared(net::ServerConnection& connection, std::string_view path);
  Task<void> answer_metrics(net::ServerConnection& connection);
  Task<void> answer_json(net::ServerConnection& connection, int status, std::string_view body);
  Task<void> answer_problem(net::ServerConnection& connection, int status, std::string_view code,
                            std::string_view message);
  bool is_from_elsewhere(const net::ServerConnection& connection) const;

  Parts parts_;
  net::http::DateLine date_line_;
  std::unordered_set<net::ServerConnection*> connections_;
  std::unordered_set<EventFeed::Subscription*> streams_;
  std::atomic<std::size_t> open_{0};
  bool is_draining_ = false;
};

}  // namespace claviger::server
