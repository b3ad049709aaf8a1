#pragma once

/// The checksum at the end of the vault's one-line files: a blank and 8 hex digits, the first
/// 32 bits of BLAKE2b-128 over the line before the blank. Against cut and mistyped lines, not
/// against attackers: whoever can write the file can write its checksum.

#include <cstddef>
#include <string_view>

namespace claviger::vault {

inline constexpr std::size_t kLineChecksumChars = 8;

/// Writes the blank and the checksum of `line`: 1 + kLineChecksumChars characters, no zero.
void write_line_checksum(std::string_view line, char* out);

/// Whether `line` ends in its own checksum.
bool has_line_checksum(std::string_view line);

}  // namespace claviger::vault
