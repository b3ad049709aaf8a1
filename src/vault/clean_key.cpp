#include "vault/clean_key.h"

#include <algorithm>

namespace claviger::vault {

std::string_view without_newline(std::string_view text) {
  if (!text.ends_with('\n')) return text;
  text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

Result<std::string_view> clean_key(std::string_view typed) {
  const std::string_view key = without_newline(typed);
  if (key.size() > kKeyBytesMax) return std::unexpected(VaultError::too_long);
  const bool printable = std::ranges::all_of(key, [](char c) { return c >= ' ' && c <= '~'; });
  if (!printable || key.starts_with(' ') || key.ends_with(' ')) {
    return std::unexpected(VaultError::malformed);
  }
  return key;
}

std::string hint_of(std::string_view key) {
  constexpr std::size_t hint_chars = 4;
  if (key.size() < kHintedKeyBytesMin) return {};
  return std::string(key.substr(key.size() - hint_chars));
}

}  // namespace claviger::vault
