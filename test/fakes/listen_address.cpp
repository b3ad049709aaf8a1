#include "listen_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace claviger::fakes {
namespace {

constexpr int kBacklog = 4096;

std::unexpected<std::string> failed(std::string_view what, std::string_view address, int fd) {
  const int reason = errno;
  if (fd >= 0) close(fd);
  return std::unexpected(fmt::format("cannot {} {}: {}", what, address, std::strerror(reason)));
}

std::expected<Listening, std::string> listen_at_path(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return std::unexpected(fmt::format("the socket path \"{}\" is empty or too long", path));
  }
  path.copy(address.sun_path, path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed("open a socket for", path, fd);
  unlink(address.sun_path);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd, kBacklog) != 0) {
    return failed("listen at", path, fd);
  }
  return Listening{fd, 0};
}

}  // namespace

std::expected<Listening, std::string> listen_at(std::string_view address) {
  if (address.starts_with("unix:")) return listen_at_path(address.substr(5));

  const std::size_t colon = address.rfind(':');
  std::uint16_t port = 0;
  sockaddr_in inet{};
  inet.sin_family = AF_INET;
  const std::string_view number =
      colon == std::string_view::npos ? std::string_view() : address.substr(colon + 1);
  const auto read = std::from_chars(number.data(), number.data() + number.size(), port);
  if (read.ec != std::errc() || read.ptr != number.data() + number.size() ||
      inet_pton(AF_INET, std::string(address.substr(0, colon)).c_str(), &inet.sin_addr) != 1 ||
      ntohl(inet.sin_addr.s_addr) >> 24 != 127) {
    return std::unexpected(fmt::format("\"{}\" is neither 127.0.0.1:PORT nor unix:PATH", address));
  }
  inet.sin_port = htons(port);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed("open a socket for", address, fd);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  socklen_t size = sizeof inet;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&inet), sizeof inet) != 0 ||
      listen(fd, kBacklog) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&inet), &size) != 0) {
    return failed("listen at", address, fd);
  }
  return Listening{fd, ntohs(inet.sin_port)};
}

}  // namespace claviger::fakes
