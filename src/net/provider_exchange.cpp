#include "net/provider_exchange.h"

#include <algorithm>
#include <cstring>

namespace claviger::net {

Task<IoResult<void>> ProviderExchange::send(std::string_view head, std::string_view body,
                                            Deadline deadline) {
  return stream_.write_all(head, body, deadline);
}

Task<std::expected<void, AnswerFailure>> ProviderExchange::read_head(std::string_view method,
                                                                     Deadline deadline) {
  std::size_t searched = 0;
  for (;;) {
    if (!raw_.empty()) {
      if (head_ == nullptr) head_ = std::make_unique_for_overwrite<http::ResponseHead>();
      const auto parsed = http::parse_response_head(raw_.bytes(), method, *head_, searched);
      if (parsed && head_->is_interim() && head_->status != 101) {
        raw_.consume(head_->bytes);
        searched = 0;
        continue;
      }
      if (parsed) break;
      if (parsed.error() != http::HeadError::incomplete) {
        co_return std::unexpected(
            AnswerFailure{.malformed = std::string(http::explain(parsed.error()))});
      }
    } else if (!stream_.socket().may_be_readable() && !stream_.has_buffered()) {
      // Most of a request's life is spent here: without a buffer.
      raw_.release();
      if (const auto waited = co_await stream_.readable(deadline); !waited) {
        co_return std::unexpected(AnswerFailure{.io = waited.error()});
      }
    }
    const auto count = stream_.try_read(raw_.room(1));
    if (count) {
      raw_.add(*count);
      continue;
    }
    if (count.error() != IoError::would_block) {
      co_return std::unexpected(AnswerFailure{.io = count.error()});
    }
    if (raw_.empty()) raw_.release();
    if (const auto waited = co_await stream_.readable(deadline); !waited) {
      co_return std::unexpected(AnswerFailure{.io = waited.error()});
    }
  }
  head_bytes_ = head_->bytes;
  body_ = head_->body;
  left_ = head_->content_length;
  keep_alive_ = head_->keep_alive;
  is_done_ = body_ == http::Body::none;
  co_return std::expected<void, AnswerFailure>{};
}

void ProviderExchange::release_head() {
  if (head_ == nullptr) return;
  head_.reset();
  raw_.consume(head_bytes_);
  if (raw_.empty()) {
    raw_.release();
  } else if (is_done_) {
    keep_alive_ = false;  // Bytes that nobody asked for.
  }
}

Task<std::expected<std::size_t, AnswerFailure>> ProviderExchange::read_body(Buffer& into,
                                                                            Deadline deadline) {
  release_head();
  while (!is_done_) {
    if (!raw_.empty()) {  // Came together with the head.
      const std::string_view arrived = raw_.bytes();
      std::memcpy(into.room(arrived.size()).data(), arrived.data(), arrived.size());
      const auto taken = take_in(into, {into.room(0).data(), arrived.size()});
      raw_.release();
      if (!taken || *taken > 0) co_return taken;
      continue;
    }
    if (!stream_.socket().may_be_readable() && !stream_.has_buffered()) {
      if (into.empty()) into.release();
      if (const auto waited = co_await stream_.readable(deadline); !waited) {
        co_return std::unexpected(AnswerFailure{.io = waited.error()});
      }
    }
    const std::span<char> room = into.room(1);
    const auto count = stream_.try_read(room);
    if (count) {
      const auto taken = take_in(into, {room.data(), *count});
      if (!taken || *taken > 0) co_return taken;
      continue;
    }
    if (count.error() == IoError::closed) co_return at_end_of_connection();
    if (count.error() != IoError::would_block) {
      co_return std::unexpected(AnswerFailure{.io = count.error()});
    }
  }
  co_return std::size_t{0};
}

/// `arrived` stands at the start of into's room; what of it is body is moved to its front.
std::expected<std::size_t, AnswerFailure> ProviderExchange::take_in(Buffer& into,
                                                                    std::string_view arrived) {
  if (body_ != http::Body::chunked) {
    std::size_t taken = arrived.size();
    if (body_ == http::Body::length) {
      taken = static_cast<std::size_t>(std::min<std::uint64_t>(taken, left_));
      if (taken < arrived.size()) keep_alive_ = false;  // Bytes that nobody asked for.
      left_ -= taken;
      is_done_ = left_ == 0;
    }
    into.add(taken);
    return taken;
  }
  char* const front = const_cast<char*>(arrived.data());
  std::size_t taken = 0;
  while (!arrived.empty() && !chunks_.is_done()) {
    const auto step = chunks_.next(arrived);
    if (!step)
      return std::unexpected(AnswerFailure{.malformed = std::string(explain(step.error()))});
    if (!step->payload.empty()) {
      std::memmove(front + taken, step->payload.data(), step->payload.size());
      taken += step->payload.size();
    }
    arrived.remove_prefix(step->consumed);
  }
  is_done_ = chunks_.is_done();
  if (!arrived.empty()) keep_alive_ = false;
  into.add(taken);
  return taken;
}

std::expected<std::size_t, AnswerFailure> ProviderExchange::at_end_of_connection() {
  keep_alive_ = false;
  if (body_ == http::Body::until_close) {
    is_done_ = true;
    return std::size_t{0};
  }
  return std::unexpected(AnswerFailure{.io = IoError::closed});
}

bool ProviderExchange::is_reusable() const {
  return is_done_ && keep_alive_ && !stream_.socket().hung_up() && !stream_.socket().cancelled();
}

}  // namespace claviger::net
