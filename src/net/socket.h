#pragma once

/// A non-blocking socket on one reactor. Reading and writing are tried directly, since they
/// mostly succeed at once; only then does anybody wait.
///
/// At most one coroutine waits to read and one to write at a time. A Socket has a fixed
/// address: the kernel holds a pointer to it.

#include <sys/uio.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string_view>

#include "base/time.h"
#include "net/reactor.h"

namespace claviger::net {

enum class IoError : std::uint8_t {
  would_block,  ///< Only from try_…(): wait and try again.
  closed,       ///< The other side ended the connection in an orderly way.
  reset,        ///< It broke off.
  timed_out,    ///< The deadline passed.
  cancelled,    ///< We gave up: the other party of the exchange is gone, or we are stopping.
  tls,          ///< TLS failed after its handshake.
};
std::string_view to_string(IoError error);

template <typename T>
using IoResult = std::expected<T, IoError>;

/// Told when the peer of a socket goes away, or when we give the socket up, while its user is
/// busy with something else.
class HangupListener {
 public:
  virtual ~HangupListener() = default;
  virtual void on_hangup() = 0;
};

class Socket {
 public:
  /// Takes over `fd`, which must be non-blocking. `fd` < 0 makes a broken socket.
  Socket(Reactor& reactor, int fd);
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int fd() const { return fd_; }
  Reactor& reactor() const { return reactor_; }

  /// Errors: would_block, closed (zero bytes), reset.
  IoResult<std::size_t> try_read(std::span<char> into);
  IoResult<std::size_t> try_write(std::string_view bytes);
  IoResult<std::size_t> try_write(std::span<const iovec> pieces);

  /// Waits until reading (writing) may get further. Errors: timed_out, cancelled.
  class Awaiter {
   public:
    Awaiter(Socket& socket, Wait*& slot, bool ready, Deadline deadline, bool on_either_event)
        : socket_(socket), slot_(slot), ready_(ready), deadline_(deadline) {
      wait_.on_either_event = on_either_event;
    }
    bool await_ready() const noexcept { return ready_; }
    void await_suspend(std::coroutine_handle<> waiting);
    IoResult<void> await_resume() const noexcept;

   private:
    Socket& socket_;
    Wait*& slot_;
    bool ready_;
    Deadline deadline_;
    Wait wait_;
  };
  Awaiter readable(Deadline deadline, bool on_either_event = false, bool ready = false) {
    return {*this, read_wait_, ready || cancelled_ || (on_either_event ? writable_ : readable_),
            deadline, on_either_event};
  }
  Awaiter writable(Deadline deadline, bool on_either_event = false) {
    return {*this, write_wait_, cancelled_ || (on_either_event ? readable_ : writable_), deadline,
            on_either_event};
  }

  /// Ends all waiting on this socket, now and later, with `cancelled`.
  void cancel();
  bool cancelled() const { return cancelled_; }

  /// True once the peer has closed its side or the connection broke. Bytes that it sent
  /// before may still be there to read.
  bool hung_up() const { return hung_up_; }
  /// At most one listener; null removes it. Called at once where it has hung up already.
  void set_hangup_listener(HangupListener* listener);

  /// False: the last read drained it, and nothing has come since.
  bool may_be_readable() const { return readable_; }
  void mark_not_readable() { readable_ = false; }
  void mark_not_writable() { writable_ = false; }
  /// Nothing can be waited for any more.
  void mark_broken();
  /// What the kernel holds for us and nobody has read; 0 where it cannot say.
  std::int64_t unread_bytes() const;

 private:
  friend class Reactor;
  void on_events(std::uint32_t events);

  Reactor& reactor_;
  int fd_;
  Wait* read_wait_ = nullptr;
  Wait* write_wait_ = nullptr;
  HangupListener* hangup_listener_ = nullptr;
  bool readable_ = true;
  bool writable_ = true;
  bool hung_up_ = false;
  bool cancelled_ = false;
};

}  // namespace claviger::net
