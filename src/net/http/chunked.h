#pragma once

/// Bodies in chunks (RFC 9112 section 7.1, June 2022): read where they lie, as they arrive,
/// and the few bytes that frame one for sending.
///
/// Why so strict: a chunked body that two servers would end in different places carries a
/// smuggled request. Blanks around the size, bare LF, missing CR LF behind the data, and
/// sizes that overflow are refused; so are trailers that would change the framing. Extensions
/// and trailers are read by their grammar, bounded, and dropped: Claviger passes on neither.
///
/// Threads: one decoder belongs to one message on one connection.

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string_view>

namespace claviger::net::http {

/// Digits of a chunk's size, leading zeros included.
inline constexpr std::size_t kChunkSizeDigitsMax = 16;
/// Bytes of extensions behind one size, and of all of them in one body. More than a few are
/// an attack on whoever counts only payload (CVE-2023-39326).
inline constexpr std::size_t kChunkExtensionBytesMax = 256;
inline constexpr std::size_t kChunkExtensionBytesTotalMax = 16 * 1024;
/// Bytes of all trailer lines together.
inline constexpr std::size_t kTrailerBytesMax = 8 * 1024;

/// Why the body cannot be read. The connection cannot be used again after any of them.
enum class ChunkedError : std::uint8_t {
  bad_size,             ///< No hexadecimal digit, or something other than `;` or CR behind them.
  size_too_large,       ///< More than 16 digits, or 2^63 and above.
  bad_extension,        ///< Not `;name`, `;name=token` or `;name="text"`, without blanks.
  extension_too_long,   ///< More than one of the two bounds.
  bad_line_end,         ///< CR without LF, or LF without CR.
  missing_end_of_data,  ///< No CR LF behind a chunk's data.
  bad_trailer,          ///< A malformed trailer line, or one that concerns framing or routing.
  trailer_too_long,     ///< More than kTrailerBytesMax.
};

/// A sentence for a person. Never holds bytes of the message.
std::string_view explain(ChunkedError error);

/// Takes a chunked body apart, whatever pieces it arrives in.
///
///     while (!bytes.empty() && !decoder.is_done()) {
///       const auto step = decoder.next(bytes);
///       if (!step) …;                          // the connection is done for
///       pass_on(step->payload);                // may be empty
///       bytes.remove_prefix(step->consumed);   // bytes behind the body are left alone
///     }
class ChunkedDecoder {
 public:
  struct Step {
    std::size_t consumed = 0;  ///< Framing and payload together; > 0 where bytes were given.
    std::string_view payload;  ///< A piece of the body, inside the bytes that were given.
  };

  /// Reads up to the end of the next piece of payload, the end of the body, or of `bytes`.
  /// After an error or the end it must not be called again before reset().
  std::expected<Step, ChunkedError> next(std::string_view bytes);

  /// Whether the last byte of the body, trailers included, has been read.
  bool is_done() const { return state_ == State::done; }

  /// Ready for another body.
  void reset() { *this = ChunkedDecoder(); }

 private:
  enum class State : std::uint8_t {
    size_first_digit,
    size_digits,
    extension_name_first,
    extension_name,
    extension_value_first,
    extension_value,
    extension_quoted,
    extension_quoted_pair,
    extension_after_quoted,
    size_line_feed,
    data,
    data_return,
    data_line_feed,
    trailer_first,
    trailer_name,
    trailer_value,
    trailer_line_feed,
    last_line_feed,
    done,
  };
  /// The longest name of a forbidden trailer is 17 bytes (`transfer-encoding`).
  static constexpr std::size_t kTrailerNameKept = 18;

  std::expected<void, ChunkedError> read_framing_byte(char byte);
  std::expected<void, ChunkedError> read_size_byte(char byte);
  std::expected<void, ChunkedError> read_extension_byte(char byte);
  std::expected<void, ChunkedError> read_trailer_byte(char byte);
  void keep_trailer_name_byte(char byte);

  State state_ = State::size_first_digit;
  std::uint8_t size_digits_ = 0;
  std::uint8_t trailer_name_bytes_ = 0;
  std::uint16_t extension_bytes_ = 0;
  std::uint32_t extension_bytes_total_ = 0;
  std::uint32_t trailer_bytes_ = 0;
  std::uint64_t left_ = 0;  ///< Of this chunk's size or data.
  std::array<char, kTrailerNameKept> trailer_name_{};
};

/// The line in front of a chunk's data.
class ChunkHead {
 public:
  /// `size` > 0: a chunk of nothing would end the body.
  explicit ChunkHead(std::uint64_t size);
  std::string_view text() const { return {bytes_.data() + begin_, bytes_.size() - begin_}; }

 private:
  std::array<char, kChunkSizeDigitsMax + 2> bytes_;  // Filled from its end.
  std::size_t begin_;
};

/// Behind each chunk's data.
inline constexpr std::string_view kChunkEnd = "\r\n";
/// Ends the body.
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace claviger::net::http
