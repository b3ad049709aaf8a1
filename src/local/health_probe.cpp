#include "local/health_probe.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace claviger::local {
namespace {

constexpr std::string_view question =
    "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
constexpr std::string_view status_line = "HTTP/1.1 ";
constexpr std::size_t status_bytes = status_line.size() + 3;

}  // namespace

HealthProbe::HealthProbe(const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() > socket_path_bytes_max) {
    finish(Health::unreachable);
    return;
  }
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  socket_ = OpenFile(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // A Unix socket connects at once or not at all; a full backlog is EAGAIN.
  if (!socket_.is_open() ||
      ::connect(socket_.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
          0 ||
      ::send(socket_.number(), question.data(), question.size(), MSG_NOSIGNAL) !=
          static_cast<ssize_t>(question.size())) {
    finish(Health::unreachable);
  }
}

void HealthProbe::on_readable() {
  std::array<char, status_bytes> bytes{};
  while (health_ == Health::asking) {
    const ssize_t got = ::recv(socket_.number(), bytes.data(), status_bytes - answer_.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return finish(Health::unreachable);
    answer_.append(bytes.data(), static_cast<std::size_t>(got));
    if (answer_.size() < status_bytes) continue;
    const bool is_http = std::string_view(answer_).starts_with(status_line);
    const bool is_ok = std::string_view(answer_).substr(status_line.size()) == "200";
    finish(is_http && is_ok ? Health::ready : Health::not_ready);
  }
}

void HealthProbe::finish(Health health) {
  health_ = health;
  socket_.reset();
}

}  // namespace claviger::local
