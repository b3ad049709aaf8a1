#pragma once

/// One caller's connection: requests in, answers out, one after the other. Knows HTTP/1.1 and
/// its bounds; what a request means is not its business.
///
/// Memory is held only while there are bytes: a connection that waits for its next request,
/// or whose answer is being streamed, holds no buffer.

#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "net/buffer.h"
#include "net/http/head.h"
#include "net/http/write.h"
#include "net/stream.h"

namespace claviger::net {

/// Every bound on what a caller may take of us. All can be set in claviger.toml.
struct ServerLimits {
  std::size_t body_bytes_max = std::size_t{32} << 20;
  std::size_t all_bodies_bytes_max = std::size_t{1} << 30;  ///< See BodyMemory.
  Duration keep_alive_max = std::chrono::seconds(75);       ///< Waiting for the next request.
  Duration head_time_max = std::chrono::seconds(10);        ///< First byte of a head to its last.
  Duration body_time_max = std::chrono::seconds(120);       ///< First byte of a body to its last.
  Duration write_idle_max = std::chrono::seconds(60);       ///< A caller that takes nothing.
};

/// Why there is no request. `status` 0: there is nobody to tell, or nothing to say.
struct RequestFailure {
  int status = 0;
  std::string code;
  std::string message;
};

/// What the bodies that outgrow their first block hold in memory, of all connections together:
/// many large ones at once must not take the machine down. Threads: any.
class BodyMemory {
 public:
  /// False, and nothing taken, where there would be more than `bytes_max` then.
  bool take(std::size_t bytes, std::size_t bytes_max) {
    const std::size_t before = held_.fetch_add(bytes, std::memory_order_relaxed);
    if (before + bytes <= bytes_max) return true;
    give_back(bytes);
    return false;
  }
  void give_back(std::size_t bytes) { held_.fetch_sub(bytes, std::memory_order_relaxed); }
  std::size_t held() const { return held_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::size_t> held_{0};
};

class ServerConnection {
 public:
  /// `limits`, `date_line` and `bodies` outlive this. No `bodies`: each is bounded by itself.
  ServerConnection(Stream stream, const ServerLimits& limits, http::DateLine& date_line,
                   BodyMemory* bodies = nullptr);
  ~ServerConnection();
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  /// Reads the next request's head. After a failure the connection can only be answered with
  /// its status and closed.
  Task<std::expected<void, RequestFailure>> read_head();
  /// Valid until release_request() or the next read_head().
  const http::RequestHead& head() const { return *head_; }
  /// Reads its body whole, where it has one: only once it is known who is calling. An answer
  /// that is given without doing so is the connection's last.
  Task<std::expected<void, RequestFailure>> read_body();
  /// Has kBufferPadding readable bytes behind its end.
  std::string_view body() const;
  /// When the request's first and last byte were here.
  Instant began_at() const { return began_at_; }
  Instant complete_at() const { return complete_at_; }
  /// Gives the request's memory back (and wipes it: it held the caller's key).
  void release_request();

  /// The start of an answer: status line, date, whether the connection stays open. Add headers
  /// and hand it to send() or begin_stream() before anything is awaited: it stands in memory
  /// that all connections of this thread share.
  http::HeadWriter answer(int status);
  /// `body` must stay where it is until this is done.
  Task<IoResult<void>> send(http::HeadWriter& head, std::string_view content_type,
                            std::string_view body);
  /// Then pieces, then the end; HTTP/1.0 callers get the body until the connection closes.
  Task<IoResult<void>> begin_stream(http::HeadWriter& head, std::string_view content_type);
  Task<IoResult<void>> send_piece(std::string_view bytes);
  /// Without it the caller sees that the stream was broken off, as it should.
  Task<IoResult<void>> end_stream();

  /// Whether another request may follow.
  bool keeps_open() const { return keep_open_; }
  /// The answer that is being given is the last one.
  void close_after_answer() { keep_open_ = false; }
  /// Says goodbye so that the last answer arrives even where the caller is still sending.
  Task<void> linger();

  Stream& stream() { return stream_; }
  Socket& socket() const { return stream_.socket(); }
  bool is_idle() const { return is_idle_; }

 private:
  /// Counts what body_ holds. False, and body_ is empty, where all bodies together would hold
  /// too much.
  bool count_body();
  void release_body();
  Task<std::expected<void, RequestFailure>> read_body_of_length();
  Task<std::expected<void, RequestFailure>> read_chunked_body();
  Task<IoResult<void>> write_pieces(std::string_view first, std::string_view second,
                                    std::string_view third);
  Task<IoResult<void>> write_all_pieces(std::string_view first, std::string_view second,
                                        std::string_view third);
  Reactor& reactor() const { return stream_.reactor(); }

  Stream stream_;
  const ServerLimits& limits_;
  http::DateLine& date_line_;
  BodyMemory* const bodies_;
  std::size_t body_bytes_counted_ = 0;
  std::unique_ptr<http::RequestHead> head_;
  Buffer buffer_;  ///< The head, and the body where it fits behind it.
  Buffer body_;    ///< A body that does not.
  Buffer ahead_;   ///< What arrived behind a chunked body: the next request.
  std::size_t body_in_buffer_bytes_ = 0;
  Instant began_at_;
  Instant complete_at_;
  bool keep_open_ = true;
  bool is_http_1_0_ = false;
  bool is_head_request_ = false;
  bool is_body_unread_ = false;
  bool is_idle_ = true;
};

}  // namespace claviger::net
