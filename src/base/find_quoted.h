#pragma once

/// Finds `"name"`, quotes and all, in JSON text without parsing it. What std::string_view::find
/// does at every quote of an event is a call and a comparison; here the two quotes and the first
/// letter are looked for at sixteen places at once.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace claviger {
inline namespace base {

/// Where `quoted` stands first in `text`, or npos. `quoted` has a quote at both ends and at least
/// one byte between them.
inline std::size_t find_quoted(std::string_view text, std::string_view quoted) {
  const std::size_t size = quoted.size();
  std::size_t at = 0;
#if defined(__SSE2__)
  constexpr std::size_t kPlaces = 16;
  const __m128i quotes = _mm_set1_epi8('"');
  const __m128i letters = _mm_set1_epi8(quoted[1]);
  const auto bytes_from = [&](std::size_t where) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + where));
  };
  for (; at + size - 1 + kPlaces <= text.size(); at += kPlaces) {
    const __m128i opened = _mm_cmpeq_epi8(bytes_from(at), quotes);
    const __m128i begun = _mm_cmpeq_epi8(bytes_from(at + 1), letters);
    const __m128i closed = _mm_cmpeq_epi8(bytes_from(at + size - 1), quotes);
    const __m128i all = _mm_and_si128(_mm_and_si128(opened, begun), closed);
    for (auto mask = static_cast<unsigned>(_mm_movemask_epi8(all)); mask != 0; mask &= mask - 1) {
      const std::size_t found = at + static_cast<std::size_t>(__builtin_ctz(mask));
      if (std::memcmp(text.data() + found, quoted.data(), size) == 0) return found;
    }
  }
#endif
  const std::size_t found = text.substr(at).find(quoted);
  return found == std::string_view::npos ? found : at + found;
}

}  // namespace base
}  // namespace claviger
