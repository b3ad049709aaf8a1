// Whatever stands in a root key file or a passphrase file: never a crash, and nothing that was
// not written by us is taken for a key.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "vault/line_checksum.h"
#include "vault/passphrase.h"
#include "vault/root_key.h"

using namespace claviger::vault;

namespace {

std::string with_checksum(std::string line) {
  char checksum[1 + kLineChecksumChars];
  write_line_checksum(line, checksum);
  return line.append(checksum, sizeof checksum);
}

void read_as_root_key(std::string_view text) {
  const auto key = RootKey::parse(text, "a file");
  if (key ? !text.starts_with("claviger-root-1 ") : key.error().message.empty()) std::abort();
}

void read_as_passphrase_file(std::string_view text) {
  const auto file = parse_passphrase_file(text, "a file");
  if (!file) {
    if (file.error().message.empty()) std::abort();
    return;
  }
  if (file->cost.passes > kPassphraseCostMax.passes ||
      file->cost.memory_kib > kPassphraseCostMax.memory_kib) {
    std::abort();
  }
  // One text for one meaning.
  const std::string again = to_text(*file);
  if (text != again && std::string(text) + "\n" != again) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read_as_root_key(text);
  read_as_passphrase_file(text);
  // Past the checksum, which chance does not find.
  read_as_root_key(with_checksum("claviger-root-1 " + std::string(text)));
  read_as_passphrase_file(with_checksum("claviger-passphrase-1 " + std::string(text)));
  return 0;
}
