#pragma once

/// One request on a provider's connection and the answer to it, as bytes: the mirror image of
/// ServerConnection.

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "net/buffer.h"
#include "net/http/chunked.h"
#include "net/http/head.h"
#include "net/stream.h"

namespace claviger::net {

/// Why an answer cannot be read on.
struct AnswerFailure {
  IoError io = IoError::reset;
  std::string malformed;  ///< A sentence, where the provider's HTTP cannot be read.
};

class ProviderExchange {
 public:
  explicit ProviderExchange(Stream stream) : stream_(std::move(stream)) {}

  Stream& stream() { return stream_; }

  /// Head and body of the request.
  Task<IoResult<void>> send(std::string_view head, std::string_view body, Deadline deadline);

  /// Reads the answer's head, past any interim ones. `method` is the request's.
  Task<std::expected<void, AnswerFailure>> read_head(std::string_view method, Deadline deadline);
  /// Valid until release_head().
  const http::ResponseHead& head() const { return *head_; }
  /// Whatever is still needed of the head has been copied.
  void release_head();

  /// Appends the next bytes of the body to `into`; 0 at its end. While nothing comes, and
  /// `into` is empty, no memory is held. `deadline` is for these next bytes only.
  Task<std::expected<std::size_t, AnswerFailure>> read_body(Buffer& into, Deadline deadline);

  /// The answer was read to its end, and the connection can take another request.
  bool is_reusable() const;
  Stream take_stream() { return std::move(stream_); }

 private:
  std::expected<std::size_t, AnswerFailure> take_in(Buffer& into, std::string_view arrived);
  std::expected<std::size_t, AnswerFailure> at_end_of_connection();

  Stream stream_;
  std::unique_ptr<http::ResponseHead> head_;
  Buffer raw_;  ///< The head, and what came with it.
  std::size_t head_bytes_ = 0;
  std::uint64_t left_ = 0;  ///< Of a body with a length.
  http::Body body_ = http::Body::none;
  http::ChunkedDecoder chunks_;
  bool keep_alive_ = false;
  bool is_done_ = false;
};

}  // namespace claviger::net
