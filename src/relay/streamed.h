#pragma once

/// What has been streamed so far, and what can be told from it without counting a token: no more
/// than so many, and no fewer than so many.
///
/// The upper bound prices a stream that was cancelled where cancelling stops the bill. It can not
/// tell whether a provider keeps to its bound: four bytes of text are mostly one token and count
/// as four. So a stream is ended by the lower bound, which only a provider that goes beyond its
/// bound can pass.

#include <cstdint>

namespace claviger::relay {

struct Streamed {
  std::int64_t bytes = 0;   ///< Of the answer's body, framing included.
  std::int64_t events = 0;  ///< That carry a piece of the answer.
};

/// A token takes one byte at least, framing aside.
constexpr std::int64_t tokens_most(const Streamed& streamed) {
  return streamed.bytes;
}

/// Byte-level vocabularies reach 128 bytes a token (runs of blanks in cl100k_base and o200k_base,
/// https://github.com/openai/tiktoken, 2026-11); JSON writes a byte as six at most (\u0000).
inline constexpr std::int64_t kTokenJsonBytesMax = 128 * 6;
/// What stands around a piece of the answer: 200 to 400 bytes at OpenAI, with its padding
/// (`obfuscation`) below a kilobyte.
inline constexpr std::int64_t kEventFramingBytesMax = 1024;
/// Pieces that providers make of one token: one, or two where a tool call is taken apart.
inline constexpr std::int64_t kEventsPerTokenMax = 2;
/// Openings, roles, endings, and what a choice or a tool call begins with.
inline constexpr std::int64_t kEventsWithoutTokenMax = 64;

constexpr std::int64_t tokens_least(const Streamed& streamed) {
  const std::int64_t by_events = (streamed.events - kEventsWithoutTokenMax) / kEventsPerTokenMax;
  const std::int64_t by_bytes =
      (streamed.bytes - streamed.events * kEventFramingBytesMax) / kTokenJsonBytesMax;
  const std::int64_t least = by_events > by_bytes ? by_events : by_bytes;
  return least > 0 ? least : 0;
}

}  // namespace claviger::relay
