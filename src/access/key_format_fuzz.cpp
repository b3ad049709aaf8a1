// Whatever a caller presents as its key: never a crash, and nothing but the format passes.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "access/key_format.h"

using namespace claviger;
using namespace claviger::access;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Secret hash_key = Secret::copy_of(std::string(kHashKeyBytes, 'h'));
  static const NewKey real = make_key(KeyType::virtual_key, hash_key);
  const std::string_view presented(reinterpret_cast<const char*>(data), size);
  const auto type = check_format(presented);
  if (type) {
    const std::string_view prefix = *type == KeyType::admin ? "clva_" : "clv_";
    if (!presented.starts_with(prefix) || presented.size() != prefix.size() + 49) std::abort();
    // One flipped bit, anywhere: CRC-32 catches every single-bit error.
    std::string flipped(presented);
    const std::size_t at = static_cast<unsigned char>(flipped.back()) % flipped.size();
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    if (check_format(flipped)) std::abort();
  } else if ((type.error() == AccessError::missing) != presented.empty()) {
    std::abort();
  }
  // A real key with the input written over a part of it.
  std::string mixed(real.text.reveal());
  if (size > 0) {
    mixed.replace(data[0] % mixed.size(), size - 1, presented.substr(1));
    if (mixed != real.text.reveal() && mixed.size() == real.text.size() && check_format(mixed) &&
        mixed.substr(0, 47) == real.text.reveal().substr(0, 47)) {
      std::abort();  // Two checksums for the same key.
    }
  }
  unsigned char hash[kKeyHashBytes];
  hash_into(presented, hash_key, hash);
  return 0;
}
