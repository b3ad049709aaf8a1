#include "connection.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace claviger::fakes {

using net::http::Body;
using net::http::HeadError;

Connection::Connection(Server& server, int fd, SSL* tls)
    : server_(server), fd_(fd), tls_(tls), timer_(server.timers_.end()) {}

Connection::~Connection() {
  if (timer_ != server_.timers_.end()) server_.timers_.erase(timer_);
  finish_answer(Outcome::broken_off);
  if (tls_ != nullptr) SSL_free(tls_);
  close(fd_);
}

void Connection::on_ready() {
  // A request whose caller has left behind it has still reached the provider, and is billed.
  const bool is_open = read_all();
  if (!serve() || !is_open) server_.forget(*this);
}

void Connection::on_timer() {
  timer_ = server_.timers_.end();
  paused_ = false;
  if (!pump() || !serve()) server_.forget(*this);
}

Connection::Io Connection::receive(std::size_t& bytes) {
  auto& into = server_.scratch_;
  if (tls_ != nullptr) {
    ERR_clear_error();
    const bool read = SSL_read_ex(tls_, into.data(), into.size(), &bytes) == 1;
    if (read) return Io::some;
    const int reason = SSL_get_error(tls_, 0);
    const bool waits = reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE;
    return waits ? Io::nothing_yet : Io::gone;
  }
  const ssize_t read = recv(fd_, into.data(), into.size(), 0);
  if (read > 0) {
    bytes = static_cast<std::size_t>(read);
    return Io::some;
  }
  return read < 0 && (errno == EAGAIN || errno == EINTR) ? Io::nothing_yet : Io::gone;
}

Connection::Io Connection::send_bytes(std::string_view bytes, std::size_t& sent) {
  if (tls_ != nullptr) {
    ERR_clear_error();
    if (SSL_write_ex(tls_, bytes.data(), bytes.size(), &sent) == 1) return Io::some;
    const int reason = SSL_get_error(tls_, 0);
    const bool waits = reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE;
    return waits ? Io::nothing_yet : Io::gone;
  }
  const ssize_t written = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (written >= 0) {
    sent = static_cast<std::size_t>(written);
    return Io::some;
  }
  return errno == EAGAIN || errno == EINTR ? Io::nothing_yet : Io::gone;
}

/// Takes in everything that has come. False where the connection is over.
bool Connection::read_all() {
  for (;;) {
    std::size_t bytes = 0;
    switch (receive(bytes)) {
      case Io::nothing_yet:
        return true;
      case Io::gone:
        // A caller that leaves while it is being answered has cancelled.
        return false;
      case Io::some:
        break;
    }
    in_.append(server_.scratch_.data(), bytes);
    if (in_.size() > kReceivedBytesMax) return false;
    // Less than asked for: the socket is empty (epoll(7), edge-triggered).
    if (tls_ == nullptr && bytes < server_.scratch_.size()) return true;
  }
}

Connection::Found Connection::find_request(std::string_view& body, std::size_t& request_bytes) {
  const auto head = net::http::parse_request_head(in_, server_.head_, searched_);
  if (!head) return head.error() == HeadError::incomplete ? Found::incomplete : Found::bad;
  const std::string_view rest = std::string_view(in_).substr(*head);
  switch (server_.head_.body) {
    case Body::length:
      body = rest.substr(0, server_.head_.content_length);
      request_bytes = *head + server_.head_.content_length;
      if (body.size() < server_.head_.content_length) return Found::body_incomplete;
      return Found::whole;
    case Body::chunked:
      while (decoded_bytes_ < rest.size() && !decoder_.is_done()) {
        const auto step = decoder_.next(rest.substr(decoded_bytes_));
        if (!step) return Found::bad;
        chunked_body_.append(step->payload);
        decoded_bytes_ += step->consumed;
      }
      body = chunked_body_;
      request_bytes = *head + decoded_bytes_;
      return decoder_.is_done() ? Found::whole : Found::body_incomplete;
    default:
      request_bytes = *head;
      return Found::whole;
  }
}

bool Connection::serve() {
  if (!pump()) return false;
  while (!busy() && !closing_ && !in_.empty()) {
    std::string_view body;
    std::size_t request_bytes = 0;
    switch (find_request(body, request_bytes)) {
      case Found::bad:
        out_.append("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        in_.clear();
        return flush() && end_connection(After::close);
      case Found::incomplete:
        return true;
      case Found::body_incomplete:
        if (!server_.head_.expects_continue || said_continue_) return true;
        said_continue_ = true;
        out_.append("HTTP/1.1 100 Continue\r\n\r\n");
        return flush();
      case Found::whole:
        break;
    }
    keep_alive_ = server_.head_.keep_alive;
    begin_answer(body);
    in_.erase(0, request_bytes);
    searched_ = 0;
    decoder_.reset();
    decoded_bytes_ = 0;
    chunked_body_.clear();
    said_continue_ = false;
    if (!pump()) return false;
  }
  return true;
}

void Connection::begin_answer(std::string_view body) {
  auto response = server_.responder_.respond(server_.head_, body);
  if (const auto* ready = std::get_if<const ReadyAnswer*>(&response)) {
    ready_ = *ready;
    ready_piece_ = 0;
  } else {
    planned_ = std::move(std::get<Planned>(response));
  }
}

void Connection::finish_answer(Outcome outcome) {
  if (outcome == Outcome::broken_off && planned_.answer != nullptr) planned_.answer->caller_left();
  if (planned_.number != 0) server_.responder_.finished(planned_.number, outcome);
  planned_ = {};
  ready_ = nullptr;
  stalled_ = false;
}

void Connection::wait(Duration pause) {
  paused_ = true;
  timer_ = server_.timers_.emplace(server_.clock_.now() + pause, this);
}

bool Connection::pump() {
  if (!flush()) return false;
  if (closing_) return !out_.empty();
  if (paused_ || stalled_) return true;
  if (ready_ != nullptr) return pump_ready();
  if (planned_.answer != nullptr) return pump_planned();
  return true;
}

bool Connection::pump_ready() {
  const std::string_view bytes = ready_->bytes;
  if (ready_->piece_ends.empty()) {
    // The usual case of a benchmark: one piece, sent from where it lies.
    std::size_t sent = 0;
    if (out_.empty() && send_bytes(bytes, sent) == Io::gone) return false;
    out_.append(bytes.substr(sent));
  } else {
    const std::size_t begin = ready_piece_ == 0 ? 0 : ready_->piece_ends[ready_piece_ - 1];
    out_.append(bytes.substr(begin, ready_->piece_ends[ready_piece_] - begin));
    if (!flush()) return false;
    if (++ready_piece_ < ready_->piece_ends.size()) {
      wait(ready_->pause);
      return true;
    }
  }
  finish_answer(Outcome::whole);
  return end_connection(After::keep_alive);
}

bool Connection::pump_planned() {
  Answer& answer = *planned_.answer;
  std::size_t turn_bytes = 0;
  for (;;) {
    if (out_.size() - out_sent_ >= kAheadBytesMax) {
      turn_bytes += out_.size();
      if (!flush()) return false;
      if (!out_.empty()) return true;  // Goes on once the caller has read.
      if (turn_bytes >= kTurnBytesMax) {
        wait(Duration::zero());
        return true;
      }
    }
    switch (answer.next(out_)) {
      case Answer::Step::send:
        continue;
      case Answer::Step::wait:
        wait(answer.pause());
        return flush();
      case Answer::Step::stall:
        stalled_ = true;
        return flush();
      case Answer::Step::done:
        break;
    }
    const After after = answer.after();
    finish_answer(answer.is_whole() ? Outcome::whole : Outcome::broken_off);
    return flush() && end_connection(after);
  }
}

/// True where the connection lives on, if only until everything is sent.
bool Connection::end_connection(After after) {
  if (after == After::reset) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    return false;
  }
  if (after == After::keep_alive && keep_alive_) return true;
  closing_ = true;
  // Only an answer that is whole ends with TLS's own goodbye.
  if (after == After::keep_alive && tls_ != nullptr && out_.empty()) SSL_shutdown(tls_);
  return !out_.empty();
}

bool Connection::flush() {
  while (out_sent_ < out_.size()) {
    std::size_t sent = 0;
    switch (send_bytes(std::string_view(out_).substr(out_sent_), sent)) {
      case Io::gone:
        return false;
      case Io::nothing_yet:
        return true;
      case Io::some:
        out_sent_ += sent;
    }
  }
  out_.clear();
  out_sent_ = 0;
  return true;
}

}  // namespace claviger::fakes
