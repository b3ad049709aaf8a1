#pragma once

/// A connection's two directions of bytes: plain or TLS, with the same face. Concrete and
/// without virtual calls, because every byte passes here.

#include <memory>
#include <string>
#include <string_view>

#include "base/task.h"
#include "net/socket.h"
#include "net/tls.h"

namespace claviger::net {

/// Owned by one coroutine; movable, since the socket itself stays where it is.
class Stream {
 public:
  Stream() = default;
  explicit Stream(std::unique_ptr<Socket> socket) : socket_(std::move(socket)) {}

  bool is_open() const { return socket_ != nullptr; }
  bool is_tls() const { return ssl_ != nullptr; }
  Socket& socket() const { return *socket_; }
  Reactor& reactor() const { return socket_->reactor(); }

  /// Runs the handshake. The error is a sentence ("certificate verify failed: …").
  Task<std::expected<void, std::string>> start_tls(SslHandle ssl, Deadline deadline);

  /// See Socket::try_read and try_write.
  IoResult<std::size_t> try_read(std::span<char> into) {
    return ssl_ == nullptr ? socket_->try_read(into) : tls_read(into);
  }
  IoResult<std::size_t> try_write(std::string_view bytes) {
    return ssl_ == nullptr ? socket_->try_write(bytes) : tls_write(bytes);
  }
  /// TLS writes the pieces one after the other.
  IoResult<std::size_t> try_write(std::span<const iovec> pieces);

  /// Waits until a read (write) that would have blocked may get further, or until there is
  /// something to read without a buffer being held for it.
  Socket::Awaiter readable(Deadline deadline) {
    return socket_->readable(deadline, tls_wants_write_, has_buffered());
  }
  Socket::Awaiter writable(Deadline deadline) {
    return socket_->writable(deadline, tls_wants_read_);
  }
  /// TLS has decrypted bytes that nobody has read yet: there is nothing to wait for.
  bool has_buffered() const { return ssl_ != nullptr && tls_has_buffered(); }

  /// Reads at least one byte. Errors: any but would_block.
  Task<IoResult<std::size_t>> read_some(std::span<char> into, Deadline deadline);
  /// Writes everything; `deadline` is for the whole. Errors: any but would_block.
  Task<IoResult<void>> write_all(std::string_view bytes, Deadline deadline);
  /// Two pieces as one: a head and its body.
  Task<IoResult<void>> write_all(std::string_view first, std::string_view second,
                                 Deadline deadline);

  /// Says that nothing more will come (TLS close_notify, best effort, and FIN); the peer may
  /// go on sending.
  void end_writing();
  /// Says goodbye (TLS close_notify, best effort) and closes.
  void close();

 private:
  bool tls_has_buffered() const;
  IoResult<std::size_t> tls_read(std::span<char> into);
  IoResult<std::size_t> tls_write(std::string_view bytes);
  IoError tls_failure(int result);
  void say_goodbye();

  std::unique_ptr<Socket> socket_;
  SslHandle ssl_;
  bool tls_wants_write_ = false;  ///< Reading waits for the socket to take bytes.
  bool tls_wants_read_ = false;   ///< Writing waits for bytes to come.
};

}  // namespace claviger::net
