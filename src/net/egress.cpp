#include "net/egress.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace claviger::net {
namespace {

struct Range4 {
  std::uint32_t network;
  int bits;
};

/// Everything that is not "Globally Reachable" in the IANA IPv4 Special-Purpose Address
/// Registry (2025-10), plus multicast and the reserved top of the space.
constexpr std::array kNotPublic4 = {
    Range4{0x00000000, 8},  Range4{0x0A000000, 8},  Range4{0x64400000, 10}, Range4{0x7F000000, 8},
    Range4{0xA9FE0000, 16}, Range4{0xAC100000, 12}, Range4{0xC0000000, 24}, Range4{0xC0000200, 24},
    Range4{0xC0586300, 24}, Range4{0xC0A80000, 16}, Range4{0xC6120000, 15}, Range4{0xC6336400, 24},
    Range4{0xCB007100, 24}, Range4{0xE0000000, 4},  Range4{0xF0000000, 4},
};

bool is_public_4(std::uint32_t address) {
  return std::ranges::none_of(kNotPublic4, [address](Range4 range) {
    return (address ^ range.network) >> (32 - range.bits) == 0;
  });
}

/// Only global unicast 2000::/3, without documentation, 6to4, Teredo and the other ranges
/// that carry an IPv4 address inside (IANA IPv6 Special-Purpose Address Registry, 2025-10).
bool is_public_6(const unsigned char* a) {
  const auto starts = [a](std::initializer_list<unsigned char> bytes) {
    return std::equal(bytes.begin(), bytes.end(), a);
  };
  if ((a[0] & 0xE0) != 0x20)
    return false;                                      // Also ::1, fc00::/7, fe80::/10, ff00::/8,
                                                       // ::ffff:0:0/96 and 64:ff9b::/96.
  if (starts({0x20, 0x01, 0x0D, 0xB8})) return false;  // Documentation.
  if (starts({0x3F, 0xFF}) && (a[2] & 0xF0) == 0) return false;  // Documentation.
  if (starts({0x20, 0x01}) && a[2] < 0x02) return false;         // 2001::/23: Teredo and others.
  if (starts({0x20, 0x02})) return false;                        // 6to4.
  return true;
}

bool is_local_address(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    return (ntohl(v4.sin_addr.s_addr) >> 24) == 127 || v4.sin_addr.s_addr == 0;
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) || IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr) ||
         (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) && v6.sin6_addr.s6_addr[12] == 127);
}

std::string text_of(const sockaddr& address) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (address.sa_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof text);
  } else if (address.sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text,
              sizeof text);
  }
  return text;
}

bool is_allowed(const EgressPolicy& policy, const Endpoint& endpoint, const sockaddr& address) {
  const bool is_own = std::ranges::find(policy.own_ports, endpoint.port) != policy.own_ports.end();
  if (is_own && is_local_address(address)) return false;
  if (is_public_address(address)) return true;
  return std::ranges::find(policy.allow, EgressAllowance{endpoint.host, endpoint.port}) !=
         policy.allow.end();
}

ConnectFailure refused_by_policy(const Endpoint& endpoint, const sockaddr& address) {
  return {.stage = ConnectStage::egress,
          .message = "connecting to " + endpoint.text() + " (" + text_of(address) +
                     ") is not allowed: it is not a public address. The operator can allow "
                     "exactly this host and port with [egress] allow in claviger.toml, or with "
                     "--allow-private when adding the credential"};
}

ConnectFailure failed(ConnectStage stage, std::string message) {
  return {.stage = stage, .message = std::move(message)};
}

}  // namespace

std::string_view to_string(ConnectStage stage) {
  switch (stage) {
    case ConnectStage::egress:
      return "egress";
    case ConnectStage::dns:
      return "dns";
    case ConnectStage::tcp:
      return "tcp";
    case ConnectStage::tls:
      return "tls";
  }
  return "unknown";
}

std::string Endpoint::key() const {
  if (!unix_path.empty()) return "unix:" + unix_path;
  return (use_tls ? "https://" : "http://") + text();
}

std::string Endpoint::text() const {
  if (!unix_path.empty()) return "the model runner";
  const bool is_v6 = host.find(':') != std::string::npos;
  return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::expected<BaseUrl, std::string> parse_base_url(std::string_view url) {
  BaseUrl result;
  const std::string original(url);
  if (url.starts_with("https://")) {
    result.endpoint.use_tls = true;
    url.remove_prefix(8);
  } else if (url.starts_with("http://")) {
    url.remove_prefix(7);
  } else {
    return std::unexpected("the base URL \"" + original + "\" must begin with https:// or http://");
  }
  for (const char c : url) {
    if (c <= ' ' || c == 0x7F || c == '@' || c == '?' || c == '#' || c == '\\' ||
        static_cast<unsigned char>(c) >= 0x80) {
      return std::unexpected("the base URL \"" + original +
                             "\" must be just a host, a port and a path, like "
                             "https://api.example.com/v1");
    }
  }
  const std::size_t slash = url.find('/');
  std::string_view authority = url.substr(0, slash);
  result.path = slash == std::string_view::npos ? "" : std::string(url.substr(slash));
  while (result.path.ends_with('/')) result.path.pop_back();

  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t bracket = authority.find(']');
    if (bracket == std::string_view::npos) {
      return std::unexpected("the base URL \"" + original + "\" has an unclosed bracket");
    }
    result.endpoint.host = authority.substr(1, bracket - 1);
    authority.remove_prefix(bracket + 1);
    if (!authority.empty() && authority.front() != ':') {
      return std::unexpected("the base URL \"" + original + "\" has no valid port");
    }
    if (!authority.empty()) port = authority.substr(1);
  } else {
    const std::size_t colon = authority.find(':');
    result.endpoint.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) port = authority.substr(colon + 1);
  }
  for (char& c : result.endpoint.host) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (result.endpoint.host.empty() || result.endpoint.host.size() > 253) {
    return std::unexpected("the base URL \"" + original + "\" has no valid host");
  }
  unsigned value = result.endpoint.use_tls ? 443 : 80;
  if (!port.empty()) {
    value = 0;
    for (const char c : port) {
      value = c >= '0' && c <= '9' && value <= 65535 ? value * 10 + static_cast<unsigned>(c - '0')
                                                     : 70000;
    }
  }
  if (value == 0 || value > 65535) {
    return std::unexpected("the base URL \"" + original + "\" has no valid port");
  }
  result.endpoint.port = static_cast<std::uint16_t>(value);
  return result;
}

bool is_public_address(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    return is_public_4(ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr));
  }
  if (address.sa_family == AF_INET6) {
    return is_public_6(reinterpret_cast<const sockaddr_in6&>(address).sin6_addr.s6_addr);
  }
  return false;
}

Egress::Egress(Resolver& resolver, std::shared_ptr<const TlsContext> tls)
    : resolver_(resolver), tls_(std::move(tls)), policy_(std::make_shared<EgressPolicy>()) {}

void Egress::set_policy(std::shared_ptr<const EgressPolicy> policy) {
  policy_.store(std::move(policy));
}

std::optional<ConnectFailure> Egress::refusal(const Endpoint& endpoint,
                                              const sockaddr& address) const {
  if (is_allowed(*policy_.load(), endpoint, address)) return std::nullopt;
  return refused_by_policy(endpoint, address);
}

Task<std::expected<Stream, ConnectFailure>> Egress::connect(Reactor& reactor,
                                                            const Endpoint& endpoint,
                                                            Deadline deadline) {
  const auto policy = policy_.load();
  if (!endpoint.unix_path.empty()) {
    Address address;
    auto& local = reinterpret_cast<sockaddr_un&>(address.storage);
    if (endpoint.unix_path.size() >= sizeof local.sun_path) {
      co_return std::unexpected(failed(ConnectStage::tcp, "the runner's socket path is too long"));
    }
    local.sun_family = AF_UNIX;
    std::memcpy(local.sun_path, endpoint.unix_path.c_str(), endpoint.unix_path.size() + 1);
    address.length = sizeof local;
    co_return co_await connect_to(reactor, address, endpoint, *policy, deadline);
  }

  const auto addresses = co_await resolver_.resolve(endpoint.host, endpoint.port, deadline);
  if (!addresses) co_return std::unexpected(failed(ConnectStage::dns, addresses.error()));

  std::expected<Stream, ConnectFailure> result =
      std::unexpected(failed(ConnectStage::dns, "the name " + endpoint.host + " has no address"));
  for (std::size_t i = 0; i < (*addresses)->size(); ++i) {
    const Address& address = (**addresses)[i];
    if (!is_allowed(*policy, endpoint, address.get())) {
      result = std::unexpected(refused_by_policy(endpoint, address.get()));
      continue;
    }
    // Each address gets its share of the time that is left, so that one that swallows
    // packets does not keep us from the next.
    const Duration left = deadline.at() - reactor.now();
    const auto share = static_cast<Duration::rep>((*addresses)->size() - i);
    result = co_await connect_to(
        reactor, address, endpoint, *policy,
        deadline.at() == Instant::max() ? deadline : Deadline(reactor.now() + left / share));
    if (result || result.error().stage == ConnectStage::tls || result.error().cancelled) break;
  }
  co_return result;
}

Task<std::expected<Stream, ConnectFailure>> Egress::connect_to(Reactor& reactor,
                                                               const Address& address,
                                                               const Endpoint& endpoint,
                                                               const EgressPolicy& policy,
                                                               Deadline deadline) {
  const int family = address.get().sa_family;
  const int fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    co_return std::unexpected(
        failed(ConnectStage::tcp, "no socket can be opened: " + std::string(std::strerror(errno))));
  }
  if (family != AF_UNIX) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  }
  int connecting = ::connect(fd, &address.get(), address.length);
  // A local socket whose queue is full says so at once instead of waiting.
  while (connecting != 0 && errno == EAGAIN && !deadline.passed(reactor.now())) {
    co_await reactor.sleep_until(reactor.after(std::chrono::milliseconds(20)));
    connecting = ::connect(fd, &address.get(), address.length);
  }
  const int connect_error = connecting == 0 ? 0 : errno;
  Stream stream(std::make_unique<Socket>(reactor, fd));
  if (connect_error == EINPROGRESS) {
    stream.socket().mark_not_writable();
    if (const auto waited = co_await stream.writable(deadline); !waited) {
      co_return std::unexpected(
          ConnectFailure{.stage = ConnectStage::tcp,
                         .timed_out = waited.error() == IoError::timed_out,
                         .cancelled = waited.error() == IoError::cancelled,
                         .message = "connecting to " + endpoint.text() + " took too long"});
    }
  }
  int error = connect_error == EINPROGRESS ? 0 : connect_error;
  if (error == 0) {
    socklen_t length = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  }
  if (error != 0) {
    co_return std::unexpected(failed(ConnectStage::tcp, "connecting to " + endpoint.text() +
                                                            " failed: " + std::strerror(error)));
  }
  if (family != AF_UNIX) {
    // Not the address that was asked for but the one that answered.
    Address peer;
    peer.length = sizeof peer.storage;
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer.storage), &peer.length) != 0 ||
        !is_allowed(policy, endpoint, peer.get())) {
      co_return std::unexpected(refused_by_policy(endpoint, peer.get()));
    }
  }
  if (endpoint.use_tls) {
    const auto secured = co_await stream.start_tls(tls_->connect_to(endpoint.host, fd), deadline);
    if (!secured) {
      co_return std::unexpected(
          failed(ConnectStage::tls, "TLS with " + endpoint.text() + " failed: " + secured.error()));
    }
  }
  co_return std::move(stream);
}

}  // namespace claviger::net
