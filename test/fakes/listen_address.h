#pragma once

/// Where to listen: `127.0.0.1:PORT` (0: any free port) or `unix:PATH`.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace claviger::fakes {

struct Listening {
  int fd = -1;
  std::uint16_t port = 0;  ///< 0 for a Unix socket.
};

/// A listening, non-blocking socket. Only loopback addresses: the fake has no business
/// elsewhere. The error is a sentence.
std::expected<Listening, std::string> listen_at(std::string_view address);

}  // namespace claviger::fakes
