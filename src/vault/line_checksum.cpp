#include "vault/line_checksum.h"

#include <sodium.h>

#include <cstdlib>
#include <cstring>

#include "base/secret.h"

namespace claviger::vault {

void write_line_checksum(std::string_view line, char* out) {
  unsigned char hash[crypto_generichash_BYTES_MIN];
  if (crypto_generichash(hash, sizeof hash, reinterpret_cast<const unsigned char*>(line.data()),
                         line.size(), nullptr, 0) != 0) {
    std::abort();
  }
  char hex[kLineChecksumChars + 1];
  sodium_bin2hex(hex, sizeof hex, hash, kLineChecksumChars / 2);
  out[0] = ' ';
  std::memcpy(out + 1, hex, kLineChecksumChars);
  // The line may hold a root key, and a hash of it is a part of it.
  wipe(hash, sizeof hash);
}

bool has_line_checksum(std::string_view line) {
  constexpr std::size_t tail = 1 + kLineChecksumChars;
  if (line.size() < tail) return false;
  char expected[tail];
  write_line_checksum(line.substr(0, line.size() - tail), expected);
  return line.substr(line.size() - tail) == std::string_view(expected, tail);
}

}  // namespace claviger::vault
