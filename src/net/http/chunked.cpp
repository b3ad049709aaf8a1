#include "net/http/chunked.h"

#include <algorithm>
#include <cassert>

#include "net/http/characters.h"

namespace claviger::net::http {
namespace {

/// Trailers that would change where the message ends, where it goes or how long the
/// connection lives. RFC 9110 section 6.5.1 forbids to send them.
bool is_forbidden_trailer(std::string_view lower_name) {
  constexpr std::array<std::string_view, 5> kForbidden = {"content-length", "transfer-encoding",
                                                          "host", "connection", "proxy-connection"};
  return std::ranges::find(kForbidden, lower_name) != kForbidden.end();
}

}  // namespace

std::string_view explain(ChunkedError error) {
  switch (error) {
    case ChunkedError::bad_size:
      return "A chunk of the body does not start with its size in hexadecimal digits.";
    case ChunkedError::size_too_large:
      return "A chunk of the body states an impossible size.";
    case ChunkedError::bad_extension:
      return "A chunk extension is malformed; leave extensions out, they have no effect here.";
    case ChunkedError::extension_too_long:
      return "The chunk extensions are too long; leave them out, they have no effect here.";
    case ChunkedError::bad_line_end:
      return "A line of the chunked body does not end with CR LF.";
    case ChunkedError::missing_end_of_data:
      return "A chunk of the body is longer than the size that was stated for it.";
    case ChunkedError::bad_trailer:
      return "A trailer line is malformed or not allowed behind a body.";
    case ChunkedError::trailer_too_long:
      return "The trailers are larger than 8 KiB; leave them out, they have no effect here.";
  }
  return "The chunked body is malformed.";
}

std::expected<ChunkedDecoder::Step, ChunkedError> ChunkedDecoder::next(std::string_view bytes) {
  assert(state_ != State::done);
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (state_ == State::data) {
      const auto taken =
          static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - at));
      left_ -= taken;
      if (left_ == 0) state_ = State::data_return;
      return Step{at + taken, bytes.substr(at, taken)};
    }
    if (const auto read = read_framing_byte(bytes[at]); !read) {
      return std::unexpected(read.error());
    }
    ++at;
    if (state_ == State::done) break;
  }
  return Step{at, {}};
}

std::expected<void, ChunkedError> ChunkedDecoder::read_framing_byte(char byte) {
  switch (state_) {
    case State::size_first_digit:
    case State::size_digits:
    case State::size_line_feed:
      return read_size_byte(byte);
    case State::data_return:
      if (byte != '\r') return std::unexpected(ChunkedError::missing_end_of_data);
      state_ = State::data_line_feed;
      return {};
    case State::data_line_feed:
      if (byte != '\n') return std::unexpected(ChunkedError::missing_end_of_data);
      state_ = State::size_first_digit;
      return {};
    case State::trailer_first:
    case State::trailer_name:
    case State::trailer_value:
    case State::trailer_line_feed:
    case State::last_line_feed:
      return read_trailer_byte(byte);
    default:
      return read_extension_byte(byte);
  }
}

std::expected<void, ChunkedError> ChunkedDecoder::read_size_byte(char byte) {
  if (state_ == State::size_line_feed) {
    if (byte != '\n') return std::unexpected(ChunkedError::bad_line_end);
    state_ = left_ == 0 ? State::trailer_first : State::data;
    return {};
  }
  if (state_ == State::size_first_digit) {
    left_ = 0;
    size_digits_ = 0;
    extension_bytes_ = 0;
    if (hex_digit_value(byte) < 0) return std::unexpected(ChunkedError::bad_size);
    state_ = State::size_digits;
  }
  if (const int digit = hex_digit_value(byte); digit >= 0) {
    if (++size_digits_ > kChunkSizeDigitsMax) return std::unexpected(ChunkedError::size_too_large);
    left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
    if (left_ > static_cast<std::uint64_t>(INT64_MAX)) {
      return std::unexpected(ChunkedError::size_too_large);
    }
    return {};
  }
  if (byte == '\r') {
    state_ = State::size_line_feed;
    return {};
  }
  if (byte == '\n') return std::unexpected(ChunkedError::bad_line_end);
  if (byte != ';') return std::unexpected(ChunkedError::bad_size);
  state_ = State::extension_name_first;
  return {};
}

std::expected<void, ChunkedError> ChunkedDecoder::read_extension_byte(char byte) {
  if (byte == '\n') return std::unexpected(ChunkedError::bad_line_end);
  if (++extension_bytes_ > kChunkExtensionBytesMax ||
      ++extension_bytes_total_ > kChunkExtensionBytesTotalMax) {
    return std::unexpected(ChunkedError::extension_too_long);
  }
  const auto go = [this](State state) -> std::expected<void, ChunkedError> {
    state_ = state;
    return {};
  };
  switch (state_) {
    case State::extension_name_first:
      if (is_token_byte(byte)) return go(State::extension_name);
      break;
    case State::extension_name:
      if (is_token_byte(byte)) return {};
      if (byte == '=') return go(State::extension_value_first);
      if (byte == ';') return go(State::extension_name_first);
      if (byte == '\r') return go(State::size_line_feed);
      break;
    case State::extension_value_first:
      if (is_token_byte(byte)) return go(State::extension_value);
      if (byte == '"') return go(State::extension_quoted);
      break;
    case State::extension_value:
      if (is_token_byte(byte)) return {};
      if (byte == ';') return go(State::extension_name_first);
      if (byte == '\r') return go(State::size_line_feed);
      break;
    case State::extension_quoted:
      if (byte == '"') return go(State::extension_after_quoted);
      if (byte == '\\') return go(State::extension_quoted_pair);
      if (is_field_value_byte(byte)) return {};
      break;
    case State::extension_quoted_pair:
      if (is_field_value_byte(byte)) return go(State::extension_quoted);
      break;
    case State::extension_after_quoted:
      if (byte == ';') return go(State::extension_name_first);
      if (byte == '\r') return go(State::size_line_feed);
      break;
    default:
      break;
  }
  return std::unexpected(ChunkedError::bad_extension);
}

void ChunkedDecoder::keep_trailer_name_byte(char byte) {
  if (trailer_name_bytes_ < kTrailerNameKept) trailer_name_[trailer_name_bytes_++] = to_lower(byte);
}

std::expected<void, ChunkedError> ChunkedDecoder::read_trailer_byte(char byte) {
  if (++trailer_bytes_ > kTrailerBytesMax) return std::unexpected(ChunkedError::trailer_too_long);
  switch (state_) {
    case State::trailer_first:
      if (byte == '\r') {
        state_ = State::last_line_feed;
        return {};
      }
      if (byte == '\n') return std::unexpected(ChunkedError::bad_line_end);
      if (!is_token_byte(byte)) return std::unexpected(ChunkedError::bad_trailer);
      trailer_name_bytes_ = 0;
      keep_trailer_name_byte(byte);
      state_ = State::trailer_name;
      return {};
    case State::trailer_name:
      if (is_token_byte(byte)) {
        keep_trailer_name_byte(byte);
        return {};
      }
      if (byte != ':' || is_forbidden_trailer({trailer_name_.data(), trailer_name_bytes_})) {
        return std::unexpected(ChunkedError::bad_trailer);
      }
      state_ = State::trailer_value;
      return {};
    case State::trailer_value:
      if (byte == '\r') {
        state_ = State::trailer_line_feed;
        return {};
      }
      if (byte == '\n') return std::unexpected(ChunkedError::bad_line_end);
      if (!is_field_value_byte(byte)) return std::unexpected(ChunkedError::bad_trailer);
      return {};
    case State::trailer_line_feed:
      if (byte != '\n') return std::unexpected(ChunkedError::bad_line_end);
      state_ = State::trailer_first;
      return {};
    default:
      if (byte != '\n') return std::unexpected(ChunkedError::bad_line_end);
      state_ = State::done;
      return {};
  }
}

ChunkHead::ChunkHead(std::uint64_t size) : begin_(bytes_.size()) {
  assert(size > 0);
  bytes_[--begin_] = '\n';
  bytes_[--begin_] = '\r';
  do {
    bytes_[--begin_] = "0123456789abcdef"[size % 16];
    size /= 16;
  } while (size > 0);
}

}  // namespace claviger::net::http
