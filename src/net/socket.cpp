#include "net/socket.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace claviger::net {

std::string_view to_string(IoError error) {
  switch (error) {
    case IoError::would_block:
      return "would_block";
    case IoError::closed:
      return "closed";
    case IoError::reset:
      return "reset";
    case IoError::timed_out:
      return "timed_out";
    case IoError::cancelled:
      return "cancelled";
    case IoError::tls:
      return "tls";
  }
  return "unknown";
}

Socket::Socket(Reactor& reactor, int fd) : reactor_(reactor), fd_(fd) {
  if (fd_ >= 0) {
    reactor_.register_socket(*this);
  } else {
    mark_broken();
  }
}

Socket::~Socket() {
  reactor_.forget_socket(*this);
  if (fd_ >= 0) close(fd_);
}

IoResult<std::size_t> Socket::try_read(std::span<char> into) {
  // Drained, and epoll has not said since that anything came: nobody need be asked.
  if (!readable_) return std::unexpected(IoError::would_block);
  for (;;) {
    const ssize_t count = recv(fd_, into.data(), into.size(), 0);
    if (count > 0) {
      // Fewer bytes than asked for means that the socket is drained (epoll(7)), unless its
      // end is still to be read.
      if (static_cast<std::size_t>(count) < into.size() && !hung_up_) readable_ = false;
      return static_cast<std::size_t>(count);
    }
    if (count == 0) return std::unexpected(IoError::closed);
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      readable_ = false;
      return std::unexpected(IoError::would_block);
    }
    return std::unexpected(IoError::reset);
  }
}

IoResult<std::size_t> Socket::try_write(std::string_view bytes) {
  for (;;) {
    const ssize_t count = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      if (static_cast<std::size_t>(count) < bytes.size()) writable_ = false;
      return static_cast<std::size_t>(count);
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      writable_ = false;
      return std::unexpected(IoError::would_block);
    }
    return std::unexpected(IoError::reset);
  }
}

IoResult<std::size_t> Socket::try_write(std::span<const iovec> pieces) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = pieces.size();
  std::size_t total = 0;
  for (const iovec& piece : pieces) total += piece.iov_len;
  for (;;) {
    const ssize_t count = sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (count >= 0) {
      if (static_cast<std::size_t>(count) < total) writable_ = false;
      return static_cast<std::size_t>(count);
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      writable_ = false;
      return std::unexpected(IoError::would_block);
    }
    return std::unexpected(IoError::reset);
  }
}

void Socket::Awaiter::await_suspend(std::coroutine_handle<> waiting) {
  wait_.waiting = waiting;
  wait_.slot = &slot_;
  slot_ = &wait_;
  socket_.reactor_.start_timer(wait_, deadline_);
}

IoResult<void> Socket::Awaiter::await_resume() const noexcept {
  if (socket_.cancelled_) return std::unexpected(IoError::cancelled);
  switch (wait_.woken) {
    case Woken::ready:
      return {};
    case Woken::timed_out:
      return std::unexpected(IoError::timed_out);
    case Woken::cancelled:
      return std::unexpected(IoError::cancelled);
  }
  return {};
}

void Socket::on_events(std::uint32_t events) {
  const bool ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if ((events & EPOLLIN) != 0 || ended) readable_ = true;
  if ((events & EPOLLOUT) != 0 || (events & (EPOLLHUP | EPOLLERR)) != 0) writable_ = true;
  if (read_wait_ != nullptr && (readable_ || read_wait_->on_either_event)) {
    reactor_.wake(*read_wait_, Woken::ready);
  }
  if (write_wait_ != nullptr && (writable_ || write_wait_->on_either_event)) {
    reactor_.wake(*write_wait_, Woken::ready);
  }
  if (ended && !hung_up_) {
    hung_up_ = true;
    if (hangup_listener_ != nullptr) hangup_listener_->on_hangup();
  }
}

void Socket::cancel() {
  cancelled_ = true;
  if (read_wait_ != nullptr) reactor_.wake(*read_wait_, Woken::cancelled);
  if (write_wait_ != nullptr) reactor_.wake(*write_wait_, Woken::cancelled);
  if (hangup_listener_ != nullptr) hangup_listener_->on_hangup();
}

void Socket::set_hangup_listener(HangupListener* listener) {
  hangup_listener_ = listener;
  if (listener != nullptr && (hung_up_ || cancelled_)) listener->on_hangup();
}

std::int64_t Socket::unread_bytes() const {
  int bytes = 0;
  return ioctl(fd_, FIONREAD, &bytes) == 0 ? bytes : 0;
}

void Socket::mark_broken() {
  readable_ = writable_ = hung_up_ = true;  // Whoever reads or writes finds out at once.
}

}  // namespace claviger::net
