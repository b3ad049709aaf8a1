#pragma once

/// Accepts connections for one reactor. Each thread has its own listening socket on the same
/// address (SO_REUSEPORT), so the kernel spreads connections and nobody hands them over.

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "base/task.h"
#include "net/socket.h"
#include "net/stream.h"

namespace claviger::net {

struct ListenAddress {
  std::string host = "127.0.0.1";  ///< An address, not a name.
  std::uint16_t port = 8484;       ///< 0 lets the kernel choose.
  std::string unix_path;           ///< Set instead of the two: a local socket, mode 0600.
};

/// Reads `127.0.0.1:8484`, `[::1]:8484`, `:8484` (loopback). Error: a sentence.
std::expected<ListenAddress, std::string> parse_listen_address(std::string_view text);
bool is_loopback(const ListenAddress& address);

class Listener {
 public:
  /// Takes every accepted connection. Runs on the listener's reactor.
  using Handler = std::function<void(Stream)>;

  /// Binds and listens. Error: a sentence that says what to do ("port 8484 is in use …").
  static std::expected<std::unique_ptr<Listener>, std::string> open(Reactor& reactor,
                                                                    const ListenAddress& address);
  /// Whether somebody else listens there already. SO_REUSEPORT would let two servers share a
  /// port without either noticing, so this is asked first. Error: a sentence.
  static std::expected<void, std::string> check_free(const ListenAddress& address);

  std::uint16_t port() const { return port_; }

  /// Accepts until stop(). A handler that is at its bound closes the stream it is given.
  Task<void> run(Handler handler);
  /// Stops accepting; connections that were accepted go on.
  void stop() {
    if (socket_) socket_->cancel();
  }

 private:
  Listener(std::unique_ptr<Socket> socket, std::uint16_t port)
      : socket_(std::move(socket)), port_(port) {}
  std::unique_ptr<Socket> socket_;
  std::uint16_t port_;
};

}  // namespace claviger::net
