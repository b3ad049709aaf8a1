#include "server.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <system_error>

#include "connection.h"
#include "listen_address.h"

namespace claviger::fakes {
namespace {

constexpr std::size_t kScratchBytes = 64 * 1024;
constexpr int kEventsPerTurn = 256;

void watch(int epoll, int fd, std::uint32_t events, void* of) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = of;
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

std::expected<std::unique_ptr<Server>, std::string> Server::open(ServerOptions options) {
  const auto listening = listen_at(options.listen);
  if (!listening) return std::unexpected(listening.error());
  std::unique_ptr<Server> server(new Server(std::move(options), listening->fd, listening->port));
  if (const auto tls = server->prepare_tls(); !tls) return std::unexpected(tls.error());
  return server;
}

Server::Server(ServerOptions options, int listener, std::uint16_t port)
    : options_(std::move(options)),
      responder_(options_.responder),
      listener_(listener),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wakeup_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      port_(port),
      scratch_(kScratchBytes) {
  if (epoll_ < 0 || wakeup_ < 0) {
    throw std::system_error(errno, std::generic_category(), "epoll or eventfd");
  }
  watch(epoll_, listener_, EPOLLIN, &listener_);
  watch(epoll_, wakeup_, EPOLLIN, &wakeup_);
}

Server::~Server() {
  connections_.clear();
  if (tls_ != nullptr) SSL_CTX_free(tls_);
  close(listener_);
  close(wakeup_);
  close(epoll_);
}

std::expected<void, std::string> Server::prepare_tls() {
  if (options_.certificate_file.empty()) return {};
  tls_ = SSL_CTX_new(TLS_server_method());
  if (tls_ == nullptr ||
      SSL_CTX_use_certificate_chain_file(tls_, options_.certificate_file.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(tls_, options_.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return std::unexpected(fmt::format("cannot use the certificate {} with the key {}",
                                       options_.certificate_file, options_.key_file));
  }
  SSL_CTX_set_mode(tls_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return {};
}

void Server::run() {
  while (!stopping_.load(std::memory_order_relaxed)) {
    wait_for_events();
    fire_timers();
  }
}

void Server::stop() {
  stopping_.store(true);
  const std::uint64_t one = 1;
  (void)!write(wakeup_, &one, sizeof one);
}

void Server::wait_for_events() {
  timespec timeout{};
  const timespec* until = nullptr;
  if (!timers_.empty()) {
    const auto left = std::max(timers_.begin()->first - clock_.now(), Duration::zero());
    const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
    timeout.tv_sec = seconds.count();
    timeout.tv_nsec = std::chrono::nanoseconds(left - seconds).count();
    until = &timeout;
  }
  std::array<epoll_event, kEventsPerTurn> events;
  const int count = epoll_pwait2(epoll_, events.data(), kEventsPerTurn, until, nullptr);
  for (int i = 0; i < count; ++i) {
    void* const of = events[static_cast<std::size_t>(i)].data.ptr;
    if (of == &listener_) {
      accept_all();
    } else if (of != &wakeup_) {
      // Still there: a socket occurs once in `events`, and only its own event ends it.
      static_cast<Connection*>(of)->on_ready();
    }
  }
}

void Server::accept_all() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // Refused by Unix sockets.
    SSL* tls = nullptr;
    if (tls_ != nullptr) {
      tls = SSL_new(tls_);
      SSL_set_fd(tls, fd);
      SSL_set_accept_state(tls);
    }
    auto connection = std::make_unique<Connection>(*this, fd, tls);
    watch(epoll_, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, connection.get());
    connections_.emplace(connection.get(), std::move(connection));
  }
}

void Server::fire_timers() {
  const Instant now = clock_.now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    Connection* connection = timers_.begin()->second;
    timers_.erase(timers_.begin());
    connection->on_timer();
  }
}

void Server::forget(Connection& connection) {
  connections_.erase(&connection);
}

}  // namespace claviger::fakes
