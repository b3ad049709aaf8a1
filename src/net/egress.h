#pragma once

/// The one way out. Every outgoing connection (providers, webhooks, downloads, mail) is made
/// here, and the address that was really *connected* is checked against the rules, so that no
/// name, redirect or DNS answer leads into the operator's own network.
///
/// Refused unless the operator allowed exactly that host and port: loopback, private,
/// link-local, shared, multicast, reserved, IPv4 in IPv6 clothes, and our own listeners.

#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.h"
#include "net/resolver.h"
#include "net/stream.h"

struct sockaddr;

namespace claviger::net {

struct Endpoint {
  std::string host;  ///< A name or an address, without brackets.
  std::uint16_t port = 0;
  bool use_tls = false;
  /// The model runner's socket. Only code sets it, never anything a person can write.
  std::string unix_path;

  /// Equal keys may share connections.
  std::string key() const;
  /// `host:port`, for messages.
  std::string text() const;
};

/// Reads `http://host[:port][/base]` or `https://…`. Error: a sentence. User info, fragments
/// and queries are refused.
struct BaseUrl {
  Endpoint endpoint;
  std::string path;  ///< Without a trailing slash: `/v1` or empty.
};
std::expected<BaseUrl, std::string> parse_base_url(std::string_view url);

struct EgressAllowance {
  std::string host;
  std::uint16_t port = 0;
  friend bool operator==(const EgressAllowance&, const EgressAllowance&) = default;
};

struct EgressPolicy {
  std::vector<EgressAllowance> allow;
  std::vector<std::uint16_t> own_ports;  ///< Our listeners: refused on local addresses even
                                         ///< where the host and port are allowed.
};

/// At which step a connection could not be made: the evidence of a verdict.
enum class ConnectStage : std::uint8_t { egress, dns, tcp, tls };
std::string_view to_string(ConnectStage stage);

struct ConnectFailure {
  ConnectStage stage = ConnectStage::tcp;
  bool timed_out = false;
  bool cancelled = false;
  std::string message;  ///< A sentence for a person; no secrets.
};

/// True for addresses on the public internet. `address` is an IPv4 or IPv6 sockaddr.
bool is_public_address(const sockaddr& address);

/// Threads: connect() from any reactor's thread; set_policy() from any thread.
class Egress {
 public:
  /// `tls` is for https endpoints.
  Egress(Resolver& resolver, std::shared_ptr<const TlsContext> tls);

  void set_policy(std::shared_ptr<const EgressPolicy> policy);

  /// The rule alone, for a library that makes its connections itself: why `address`, which is
  /// about to be connected as `endpoint`, must not be; nothing where it may. Threads: any.
  std::optional<ConnectFailure> refusal(const Endpoint& endpoint, const sockaddr& address) const;

  /// Resolves, connects, checks and, for https, verifies. Tries all addresses in turn within
  /// `deadline`. The stream belongs to `reactor`, which must be the current one.
  Task<std::expected<Stream, ConnectFailure>> connect(Reactor& reactor, const Endpoint& endpoint,
                                                      Deadline deadline);

 private:
  Task<std::expected<Stream, ConnectFailure>> connect_to(Reactor& reactor, const Address& address,
                                                         const Endpoint& endpoint,
                                                         const EgressPolicy& policy,
                                                         Deadline deadline);
  Resolver& resolver_;
  std::shared_ptr<const TlsContext> tls_;
  std::atomic<std::shared_ptr<const EgressPolicy>> policy_;
};

}  // namespace claviger::net
