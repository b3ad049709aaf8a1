#include "net/stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <climits>

namespace claviger::net {

Task<std::expected<void, std::string>> Stream::start_tls(SslHandle ssl, Deadline deadline) {
  if (!ssl) co_return std::unexpected("TLS cannot be set up: " + take_tls_error());
  ssl_ = std::move(ssl);
  for (;;) {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    if (result == 1) co_return std::expected<void, std::string>{};
    IoResult<void> waited;
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        socket_->mark_not_readable();
        waited = co_await socket_->readable(deadline);
        break;
      case SSL_ERROR_WANT_WRITE:
        socket_->mark_not_writable();
        waited = co_await socket_->writable(deadline);
        break;
      default: {
        const long verified = SSL_get_verify_result(ssl_.get());
        std::string reason = take_tls_error();
        if (verified != X509_V_OK) {
          reason += std::string(": ") + X509_verify_cert_error_string(verified);
        }
        co_return std::unexpected(std::move(reason));
      }
    }
    if (!waited) {
      co_return std::unexpected(waited.error() == IoError::timed_out
                                    ? "the TLS handshake took too long"
                                    : "the TLS handshake was broken off");
    }
  }
}

IoError Stream::tls_failure(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      socket_->mark_not_readable();
      return IoError::would_block;
    case SSL_ERROR_WANT_WRITE:
      socket_->mark_not_writable();
      return IoError::would_block;
    case SSL_ERROR_ZERO_RETURN:
      return IoError::closed;
    case SSL_ERROR_SYSCALL:
      return IoError::reset;
    default:
      ERR_clear_error();
      return IoError::tls;
  }
}

IoResult<std::size_t> Stream::tls_read(std::span<char> into) {
  ERR_clear_error();
  std::size_t count = 0;
  const int result = SSL_read_ex(ssl_.get(), into.data(), into.size(), &count);
  tls_wants_write_ = false;
  if (result == 1) return count;
  tls_wants_write_ = SSL_want_write(ssl_.get());
  return std::unexpected(tls_failure(result));
}

IoResult<std::size_t> Stream::tls_write(std::string_view bytes) {
  if (bytes.empty()) return 0;
  ERR_clear_error();
  std::size_t count = 0;
  const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &count);
  tls_wants_read_ = false;
  if (result == 1) return count;
  tls_wants_read_ = SSL_want_read(ssl_.get());
  return std::unexpected(tls_failure(result));
}

IoResult<std::size_t> Stream::try_write(std::span<const iovec> pieces) {
  if (ssl_ == nullptr) return socket_->try_write(pieces);
  std::size_t total = 0;
  for (const iovec& piece : pieces) {
    std::string_view rest(static_cast<const char*>(piece.iov_base), piece.iov_len);
    while (!rest.empty()) {
      const auto count = tls_write(rest);
      if (!count) {
        if (total > 0 && count.error() == IoError::would_block) return total;
        return count;
      }
      total += *count;
      rest.remove_prefix(*count);
    }
  }
  return total;
}

bool Stream::tls_has_buffered() const {
  return SSL_pending(ssl_.get()) > 0;
}

Task<IoResult<std::size_t>> Stream::read_some(std::span<char> into, Deadline deadline) {
  for (;;) {
    const auto count = try_read(into);
    if (count || count.error() != IoError::would_block) co_return count;
    if (const auto waited = co_await readable(deadline); !waited) {
      co_return std::unexpected(waited.error());
    }
  }
}

Task<IoResult<void>> Stream::write_all(std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const auto count = try_write(bytes);
    if (count) {
      bytes.remove_prefix(*count);
      continue;
    }
    if (count.error() != IoError::would_block) co_return std::unexpected(count.error());
    if (const auto waited = co_await writable(deadline); !waited) co_return waited;
  }
  co_return IoResult<void>{};
}

Task<IoResult<void>> Stream::write_all(std::string_view first, std::string_view second,
                                       Deadline deadline) {
  if (!first.empty()) {
    const iovec pieces[] = {{const_cast<char*>(first.data()), first.size()},
                            {const_cast<char*>(second.data()), second.size()}};
    const auto count = try_write(pieces);
    if (count) {
      const std::size_t of_first = std::min(*count, first.size());
      first.remove_prefix(of_first);
      second.remove_prefix(*count - of_first);
    } else if (count.error() != IoError::would_block) {
      co_return std::unexpected(count.error());
    }
    if (const auto written = co_await write_all(first, deadline); !written) co_return written;
  }
  co_return co_await write_all(second, deadline);
}

void Stream::say_goodbye() {
  if (ssl_ == nullptr || socket_ == nullptr || socket_->hung_up()) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());  // Once: a second one would wait for the peer's.
  ERR_clear_error();
}

void Stream::end_writing() {
  say_goodbye();
  ::shutdown(socket_->fd(), SHUT_WR);
}

void Stream::close() {
  if (ssl_ != nullptr && (SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) == 0) say_goodbye();
  ssl_.reset();
  socket_.reset();
}

}  // namespace claviger::net
