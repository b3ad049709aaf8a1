#include "net/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace claviger::net {
namespace {

struct BindAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

std::expected<BindAddress, std::string> to_sockaddr(const ListenAddress& address) {
  BindAddress result;
  if (!address.unix_path.empty()) {
    auto& local = reinterpret_cast<sockaddr_un&>(result.storage);
    if (address.unix_path.size() >= sizeof local.sun_path) {
      return std::unexpected("the path of the socket " + address.unix_path +
                             " is too long (at most 107 bytes); use a shorter --home");
    }
    local.sun_family = AF_UNIX;
    std::memcpy(local.sun_path, address.unix_path.c_str(), address.unix_path.size() + 1);
    result.length = sizeof local;
    return result;
  }
  auto& v4 = reinterpret_cast<sockaddr_in&>(result.storage);
  if (inet_pton(AF_INET, address.host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    result.length = sizeof v4;
    return result;
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(result.storage);
  if (inet_pton(AF_INET6, address.host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    result.length = sizeof v6;
    return result;
  }
  return std::unexpected("\"" + address.host +
                         "\" is not an address to listen on; write e.g. 127.0.0.1:8484");
}

std::string bind_problem(const ListenAddress& address, int error) {
  const std::string where = address.unix_path.empty()
                                ? address.host + ":" + std::to_string(address.port)
                                : address.unix_path;
  if (error == EADDRINUSE) {
    return where + " is in use by another program; stop it, or choose another with --listen";
  }
  if (error == EACCES) {
    return "this user may not listen on " + where + "; choose a port above 1023 with --listen";
  }
  if (error == EADDRNOTAVAIL) {
    return "this machine has no address " + address.host + "; choose another with --listen";
  }
  return "cannot listen on " + where + ": " + std::strerror(error);
}

}  // namespace

std::expected<ListenAddress, std::string> parse_listen_address(std::string_view text) {
  ListenAddress address;
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return std::unexpected("\"" + std::string(text) +
                           "\" is not HOST:PORT; write e.g. 127.0.0.1:8484");
  }
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (!host.empty()) address.host = host == "localhost" ? "127.0.0.1" : std::string(host);
  unsigned port = 0;
  const std::string_view digits = text.substr(colon + 1);
  for (const char c : digits) {
    if (c < '0' || c > '9' || port > 65535)
      port = 70000;
    else
      port = port * 10 + static_cast<unsigned>(c - '0');
  }
  if (digits.empty() || port > 65535) {
    return std::unexpected("\"" + std::string(text) + "\" has no valid port (0 to 65535)");
  }
  address.port = static_cast<std::uint16_t>(port);
  if (auto checked = to_sockaddr(address); !checked) return std::unexpected(checked.error());
  return address;
}

bool is_loopback(const ListenAddress& address) {
  return !address.unix_path.empty() || address.host.starts_with("127.") || address.host == "::1";
}

std::expected<std::unique_ptr<Listener>, std::string> Listener::open(Reactor& reactor,
                                                                     const ListenAddress& address) {
  const auto bound = to_sockaddr(address);
  if (!bound) return std::unexpected(bound.error());
  const auto& generic = reinterpret_cast<const sockaddr&>(bound->storage);
  const bool is_unix = generic.sa_family == AF_UNIX;
  const int fd = ::socket(generic.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return std::unexpected(std::string("no socket can be opened: ") + std::strerror(errno));
  auto socket = std::make_unique<Socket>(reactor, fd);
  if (is_unix) {
    ::unlink(address.unix_path.c_str());
  } else {
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // Inherited by what is accepted.
  }
  const mode_t before = is_unix ? umask(0177) : 0;
  const int result = ::bind(fd, &generic, bound->length);
  const int bind_error = errno;
  if (is_unix) umask(before);
  if (result != 0) return std::unexpected(bind_problem(address, bind_error));
  if (::listen(fd, 4096) != 0) return std::unexpected(bind_problem(address, errno));

  std::uint16_t port = 0;
  if (!is_unix) {
    sockaddr_storage actual{};
    socklen_t length = sizeof actual;
    getsockname(fd, reinterpret_cast<sockaddr*>(&actual), &length);
    port = ntohs(actual.ss_family == AF_INET
                     ? reinterpret_cast<const sockaddr_in&>(actual).sin_port
                     : reinterpret_cast<const sockaddr_in6&>(actual).sin6_port);
  }
  return std::unique_ptr<Listener>(new Listener(std::move(socket), port));
}

std::expected<void, std::string> Listener::check_free(const ListenAddress& address) {
  if (!address.unix_path.empty() || address.port == 0) return {};
  const auto bound = to_sockaddr(address);
  if (!bound) return std::unexpected(bound.error());
  const auto& generic = reinterpret_cast<const sockaddr&>(bound->storage);
  const int fd = ::socket(generic.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return std::unexpected(std::string("no socket can be opened: ") + std::strerror(errno));
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const int error = ::bind(fd, &generic, bound->length) == 0 ? 0 : errno;
  ::close(fd);
  if (error != 0) return std::unexpected(bind_problem(address, error));
  return {};
}

Task<void> Listener::run(Handler handler) {
  // Between so many the loop turns: those who come must not keep it from those who are there, or
  // from seeing who has gone.
  constexpr std::uint32_t kAcceptedAtOnce = 16;
  for (std::uint32_t accepted = 0;;) {
    const int fd = accept4(socket_->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      handler(Stream(std::make_unique<Socket>(socket_->reactor(), fd)));
      if (++accepted % kAcceptedAtOnce == 0) co_await socket_->reactor().yield();
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      // Out of descriptors: callers wait in the backlog until one is free again.
      if (socket_->cancelled()) break;
      co_await socket_->reactor().sleep_until(
          socket_->reactor().after(std::chrono::milliseconds(100)));
      continue;
    }
    socket_->mark_not_readable();
    if (!co_await socket_->readable(Deadline::never())) break;
  }
  // Callers are refused by the kernel now, instead of waiting in a queue that nobody reads.
  socket_.reset();
}

}  // namespace claviger::net
