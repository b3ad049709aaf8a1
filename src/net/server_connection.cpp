#include "net/server_connection.h"

#include <algorithm>
#include <utility>

#include "net/http/chunked.h"

namespace claviger::net {
namespace {

/// One answer's head at a time stands here; see ServerConnection::answer.
thread_local std::string answer_head;

RequestFailure nothing_to_say() {
  return {};
}

RequestFailure too_large(std::size_t bytes_max) {
  return {.status = 413,
          .code = "request_too_large",
          .message = "the request body is larger than " + std::to_string(bytes_max) +
                     " bytes; send less, or raise limits.body_bytes_max"};
}

RequestFailure too_many_bodies() {
  return {.status = 503,
          .code = "server_busy",
          .message =
              "the requests that are arriving here hold as much memory as they may together; try "
              "again in a few seconds, send smaller ones, or raise limits.all_bodies_bytes_max"};
}

RequestFailure too_slow(std::string_view what) {
  return {.status = 408,
          .code = "request_timeout",
          .message = "the " + std::string(what) + " took too long to arrive"};
}

RequestFailure failure_of(IoError error, std::string_view what) {
  return error == IoError::timed_out ? too_slow(what) : nothing_to_say();
}

}  // namespace

ServerConnection::ServerConnection(Stream stream, const ServerLimits& limits,
                                   http::DateLine& date_line, BodyMemory* bodies)
    : stream_(std::move(stream)), limits_(limits), date_line_(date_line), bodies_(bodies) {}

ServerConnection::~ServerConnection() {
  if (bodies_ != nullptr) bodies_->give_back(body_bytes_counted_);
}

std::string_view ServerConnection::body() const {
  if (body_in_buffer_bytes_ > 0) return buffer_.bytes().substr(head_->bytes, body_in_buffer_bytes_);
  return body_.bytes();
}

void ServerConnection::release_request() {
  if (head_ != nullptr) buffer_.consume(head_->bytes + body_in_buffer_bytes_);
  if (buffer_.empty()) buffer_.release();
  if (!ahead_.empty()) buffer_ = std::exchange(ahead_, Buffer());
  head_.reset();
  release_body();
  body_in_buffer_bytes_ = 0;
}

void ServerConnection::release_body() {
  body_.release();
  if (bodies_ != nullptr) bodies_->give_back(std::exchange(body_bytes_counted_, 0));
}

bool ServerConnection::count_body() {
  const std::size_t bytes = body_.capacity();
  if (bodies_ == nullptr || bytes <= body_bytes_counted_) return true;
  if (bodies_->take(bytes - body_bytes_counted_, limits_.all_bodies_bytes_max)) {
    body_bytes_counted_ = bytes;
    return true;
  }
  release_body();  // It will not be read to its end, and others need the room.
  return false;
}

Task<std::expected<void, RequestFailure>> ServerConnection::read_head() {
  release_request();
  Deadline deadline = reactor().after(limits_.keep_alive_max);
  is_idle_ = buffer_.empty();
  if (!is_idle_) {  // Pipelined behind the last request.
    began_at_ = reactor().clock().now();
    deadline = Deadline(began_at_ + limits_.head_time_max);
  }
  head_ = nullptr;
  std::size_t searched = 0;
  for (;;) {
    if (!buffer_.empty()) {
      if (head_ == nullptr) head_ = std::make_unique_for_overwrite<http::RequestHead>();
      const auto parsed = http::parse_request_head(buffer_.bytes(), *head_, searched);
      if (parsed) break;
      if (parsed.error() != http::HeadError::incomplete) {
        keep_open_ = false;
        head_ = nullptr;
        co_return std::unexpected(
            RequestFailure{.status = http::status_for(parsed.error()),
                           .code = "malformed_http",
                           .message = std::string(http::explain(parsed.error()))});
      }
    }
    const auto count = stream_.try_read(buffer_.room(1));
    if (count) {
      buffer_.add(*count);
      if (is_idle_) {
        is_idle_ = false;
        began_at_ = reactor().clock().now();
        deadline = Deadline(began_at_ + limits_.head_time_max);
      }
      continue;
    }
    if (count.error() != IoError::would_block) {
      keep_open_ = false;
      co_return std::unexpected(nothing_to_say());
    }
    if (is_idle_) buffer_.release();
    if (const auto waited = co_await stream_.readable(deadline); !waited) {
      keep_open_ = false;
      head_ = nullptr;
      co_return std::unexpected(is_idle_ ? nothing_to_say()
                                         : failure_of(waited.error(), "request head"));
    }
  }
  is_http_1_0_ = head_->minor_version == 0;
  is_head_request_ = head_->method == "HEAD";
  is_body_unread_ = head_->body != http::Body::none;
  if (!head_->keep_alive) keep_open_ = false;
  complete_at_ = began_at_;
  co_return std::expected<void, RequestFailure>{};
}

Task<std::expected<void, RequestFailure>> ServerConnection::read_body() {
  if (!is_body_unread_) co_return std::expected<void, RequestFailure>{};
  if (head_->body == http::Body::length && head_->content_length > limits_.body_bytes_max) {
    co_return std::unexpected(too_large(limits_.body_bytes_max));
  }
  if (head_->expects_continue && buffer_.size() == head_->bytes) {
    const auto told = co_await stream_.write_all("HTTP/1.1 100 Continue\r\n\r\n",
                                                 reactor().after(limits_.write_idle_max));
    if (!told) co_return std::unexpected(nothing_to_say());
  }
  const auto read = head_->body == http::Body::chunked ? co_await read_chunked_body()
                                                       : co_await read_body_of_length();
  is_body_unread_ = !read;
  if (!read) keep_open_ = false;
  complete_at_ = reactor().clock().now();
  co_return read;
}

Task<std::expected<void, RequestFailure>> ServerConnection::read_body_of_length() {
  const std::size_t length = head_->content_length;
  const std::size_t here = std::min(length, buffer_.size() - head_->bytes);
  // The head's views must not move, so a body that outgrows the block lives apart.
  const bool in_buffer = length - here <= buffer_.free_bytes();
  if (in_buffer) {
    body_in_buffer_bytes_ = here;
  } else {
    body_.append(buffer_.bytes().substr(head_->bytes, here));
    buffer_.shrink_to(head_->bytes);
  }
  const Deadline deadline = reactor().after(limits_.body_time_max);
  std::size_t missing = length - here;
  while (missing > 0) {
    Buffer& into = in_buffer ? buffer_ : body_;
    const std::span<char> room = into.room(1);
    if (!count_body()) co_return std::unexpected(too_many_bodies());
    const auto count =
        co_await stream_.read_some(room.first(std::min(room.size(), missing)), deadline);
    if (!count) co_return std::unexpected(failure_of(count.error(), "request body"));
    into.add(*count);
    missing -= *count;
    if (in_buffer) body_in_buffer_bytes_ += *count;
  }
  co_return std::expected<void, RequestFailure>{};
}

Task<std::expected<void, RequestFailure>> ServerConnection::read_chunked_body() {
  const Deadline deadline = reactor().after(limits_.body_time_max);
  http::ChunkedDecoder decoder;
  Buffer raw;
  raw.append(buffer_.bytes().substr(head_->bytes));
  buffer_.shrink_to(head_->bytes);
  while (!decoder.is_done()) {
    while (!raw.empty() && !decoder.is_done()) {
      const auto step = decoder.next(raw.bytes());
      if (!step) {
        co_return std::unexpected(
            RequestFailure{.status = 400,
                           .code = "malformed_http",
                           .message = std::string(http::explain(step.error()))});
      }
      if (body_.size() + step->payload.size() > limits_.body_bytes_max) {
        co_return std::unexpected(too_large(limits_.body_bytes_max));
      }
      body_.append(step->payload);
      if (!count_body()) co_return std::unexpected(too_many_bodies());
      raw.consume(step->consumed);
    }
    if (decoder.is_done()) break;
    const auto count = co_await stream_.read_some(raw.room(1), deadline);
    if (!count) co_return std::unexpected(failure_of(count.error(), "request body"));
    raw.add(*count);
  }
  if (!raw.empty()) ahead_ = std::move(raw);
  co_return std::expected<void, RequestFailure>{};
}

http::HeadWriter ServerConnection::answer(int status) {
  if (is_body_unread_) keep_open_ = false;  // What comes next would be read as a request.
  answer_head.clear();
  http::HeadWriter head(answer_head);
  head.response(status);
  head.ready_lines(date_line_.at(reactor().clock().wall_now()));
  return head;
}

Task<IoResult<void>> ServerConnection::send(http::HeadWriter& head, std::string_view content_type,
                                            std::string_view body) {
  if (!content_type.empty()) head.header("content-type", content_type);
  head.header("content-length", body.size());
  if (!keep_open_) head.ready_lines("connection: close\r\n");
  if (keep_open_ && is_http_1_0_) head.ready_lines("connection: keep-alive\r\n");
  if (!head.finish()) {
    // A value that could have become a header of its own: say nothing rather than that.
    keep_open_ = false;
    co_return std::unexpected(IoError::reset);
  }
  co_return co_await write_pieces(answer_head, is_head_request_ ? std::string_view() : body, {});
}

Task<IoResult<void>> ServerConnection::begin_stream(http::HeadWriter& head,
                                                    std::string_view content_type) {
  head.header("content-type", content_type);
  if (is_http_1_0_) {
    keep_open_ = false;
  } else {
    head.ready_lines("transfer-encoding: chunked\r\n");
  }
  if (!keep_open_) head.ready_lines("connection: close\r\n");
  if (!head.finish()) {
    keep_open_ = false;
    co_return std::unexpected(IoError::reset);
  }
  co_return co_await write_pieces(answer_head, {}, {});
}

Task<IoResult<void>> ServerConnection::send_piece(std::string_view bytes) {
  if (bytes.empty()) co_return IoResult<void>{};
  if (is_http_1_0_) co_return co_await write_pieces(bytes, {}, {});
  const http::ChunkHead chunk(bytes.size());
  co_return co_await write_pieces(chunk.text(), bytes, http::kChunkEnd);
}

Task<IoResult<void>> ServerConnection::end_stream() {
  if (is_http_1_0_) co_return IoResult<void>{};
  co_return co_await write_pieces(http::kLastChunk, {}, {});
}

Task<IoResult<void>> ServerConnection::write_pieces(std::string_view first, std::string_view second,
                                                    std::string_view third) {
  const auto written = co_await write_all_pieces(first, second, third);
  // Half an answer is on its way: whatever came next would be read as the rest of it.
  if (!written) keep_open_ = false;
  co_return written;
}

Task<IoResult<void>> ServerConnection::write_all_pieces(std::string_view first,
                                                        std::string_view second,
                                                        std::string_view third) {
  const std::size_t total = first.size() + second.size() + third.size();
  IoResult<std::size_t> count = 0;
  if (second.empty() && third.empty()) {
    count = stream_.try_write(first);
  } else {
    const iovec pieces[] = {{const_cast<char*>(first.data()), first.size()},
                            {const_cast<char*>(second.data()), second.size()},
                            {const_cast<char*>(third.data()), third.size()}};
    count = stream_.try_write(pieces);
  }
  if (!count && count.error() != IoError::would_block) co_return std::unexpected(count.error());
  std::size_t written = count.value_or(0);
  if (written == total) co_return IoResult<void>{};

  // The caller is slower than we are. Small pieces are copied, since they stand in memory that
  // others use; the long one in the middle belongs to whoever called us.
  Buffer rest;
  const auto skip = [&written](std::string_view& piece) {
    const std::size_t skipped = std::min(written, piece.size());
    piece.remove_prefix(skipped);
    written -= skipped;
  };
  skip(first);
  skip(second);
  skip(third);
  if (!first.empty()) {
    rest.append(first);
    if (const auto done =
            co_await stream_.write_all(rest.bytes(), reactor().after(limits_.write_idle_max));
        !done) {
      co_return done;
    }
  }
  // Each slice has the allowance for itself: a slow caller may take long, but not stand still.
  constexpr std::size_t kSliceBytes = 64 * 1024;
  while (!second.empty()) {
    const std::string_view slice = second.substr(0, kSliceBytes);
    if (const auto done =
            co_await stream_.write_all(slice, reactor().after(limits_.write_idle_max));
        !done) {
      co_return done;
    }
    second.remove_prefix(slice.size());
  }
  co_return co_await stream_.write_all(third, reactor().after(limits_.write_idle_max));
}

Task<void> ServerConnection::linger() {
  if (socket().hung_up() || socket().cancelled()) co_return;
  stream_.end_writing();
  // What still comes is thrown away as it is, under TLS too: to close with it unread would
  // reset the connection, and take the answer out of the caller's hands.
  const Deadline deadline = reactor().after(std::chrono::seconds(2));
  std::size_t discarded = 0;
  constexpr std::size_t kDiscardedMax = std::size_t{4} << 20;
  while (discarded < kDiscardedMax) {
    buffer_.release();
    const auto count = socket().try_read(buffer_.room(1));
    if (count) {
      discarded += *count;
    } else if (count.error() != IoError::would_block || !co_await socket().readable(deadline)) {
      co_return;
    }
  }
}

}  // namespace claviger::net
