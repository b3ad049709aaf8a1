#pragma once

/// Text that is plain ASCII, as most text that passes a gateway is: told in blocks, so that what
/// follows may take the short way.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace claviger {
inline namespace base {

/// Whether no byte has its high bit set. Some 16 bytes for each four instructions.
inline bool is_ascii(std::string_view text) {
  constexpr std::size_t kBlock = 64;  // Without a way out inside, so that it is vectorised.
  constexpr std::uint64_t kHighBits = 0x8080808080808080U;
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left >= kBlock; left -= kBlock, at += kBlock) {
    std::uint64_t words[kBlock / 8];
    std::memcpy(words, at, kBlock);
    std::uint64_t any = 0;
    for (const std::uint64_t word : words) any |= word;
    if ((any & kHighBits) != 0) return false;
  }
  std::uint8_t any = 0;
  for (std::size_t i = 0; i < left; ++i) any |= static_cast<std::uint8_t>(at[i]);
  return any < 0x80;
}

}  // namespace base
}  // namespace claviger
