// Whatever stands in a row of the database: it opens only if it is what we sealed; everything
// else is `tampered`.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "vault/envelope.h"

using namespace claviger;
using namespace claviger::vault;

namespace {

constexpr std::string_view kKey = "sk-live-0123456789abcdef";

SealedCredential sealed_row(const RootKey& root) {
  Credential about;
  about.id = CredentialId{1};
  about.provider = "openai";
  about.base_url = "https://api.openai.com/v1";
  return seal(root, about, kKey);
}

void must_be_tampered(const RootKey& root, const SealedCredential& row) {
  const auto key = open(root, row);
  if (key || key.error() != VaultError::tampered) std::abort();
}

/// `original` with `patch` written over it at a place that the first byte names.
std::string patched(const std::string& original, std::string_view patch) {
  std::string result = original;
  if (patch.empty()) return result;
  const std::size_t at = static_cast<unsigned char>(patch[0]) % (result.size() + 1);
  result.replace(at, patch.size() - 1, patch.substr(1));
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto root = RootKey::generate();
  static const SealedCredential row = sealed_row(*root);
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t half = size / 2;

  SealedCredential random = row;
  random.wrapped_data_key = bytes.substr(0, half);
  random.sealed_key = bytes.substr(half);
  must_be_tampered(*root, random);

  // Only the part behind a true data key.
  random.wrapped_data_key = row.wrapped_data_key;
  must_be_tampered(*root, random);

  SealedCredential changed = row;
  changed.wrapped_data_key = patched(row.wrapped_data_key, bytes.substr(0, half));
  changed.sealed_key = patched(row.sealed_key, bytes.substr(half));
  if (changed.wrapped_data_key == row.wrapped_data_key && changed.sealed_key == row.sealed_key) {
    if (open(*root, changed)->reveal() != kKey) std::abort();
  } else {
    must_be_tampered(*root, changed);
  }

  SealedCredential moved = row;
  moved.about.base_url = bytes;
  if (moved.about.base_url != row.about.base_url) must_be_tampered(*root, moved);
  moved = row;
  moved.about.provider = bytes;
  if (moved.about.provider != row.about.provider) must_be_tampered(*root, moved);

  if (open_named(*root, "name", bytes)) std::abort();
  return 0;
}
