#include "deliver/webhook_signature.h"

#include <sodium.h>

#include <algorithm>
#include <array>

namespace claviger::deliver {
namespace {

constexpr std::string_view kSecretPrefix = "whsec_";
constexpr std::string_view kVersion = "v1,";

void add(crypto_auth_hmacsha256_state& state, std::string_view bytes) {
  crypto_auth_hmacsha256_update(&state, reinterpret_cast<const unsigned char*>(bytes.data()),
                                bytes.size());
}

}  // namespace

std::string signing_secret_name(alert::ChannelId channel) {
  return "alert-channel-" + std::to_string(channel.value);
}

Secret signing_secret_text(const Secret& secret) {
  // One more for the zero byte that libsodium writes behind it.
  std::array<char, sodium_base64_ENCODED_LEN(kSigningSecretBytes, sodium_base64_VARIANT_ORIGINAL)>
      base64{};
  sodium_bin2base64(base64.data(), base64.size(),
                    reinterpret_cast<const unsigned char*>(secret.reveal().data()), secret.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  const std::size_t length = base64.size() - 1;
  Secret text = Secret::of_size(kSecretPrefix.size() + length);
  std::ranges::copy(kSecretPrefix, text.writable().begin());
  std::copy_n(base64.begin(), length,
              text.writable().begin() + static_cast<std::ptrdiff_t>(kSecretPrefix.size()));
  wipe(base64.data(), base64.size());
  return text;
}

std::string sign(const Secret& secret, std::string_view id, std::int64_t sent_at,
                 std::string_view body) {
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(
      &state, reinterpret_cast<const unsigned char*>(secret.reveal().data()), secret.size());
  add(state, id);
  add(state, ".");
  add(state, std::to_string(sent_at));
  add(state, ".");
  add(state, body);
  std::array<unsigned char, crypto_auth_hmacsha256_BYTES> digest{};
  crypto_auth_hmacsha256_final(&state, digest.data());
  wipe(&state, sizeof state);
  std::array<char, sodium_base64_ENCODED_LEN(crypto_auth_hmacsha256_BYTES,
                                             sodium_base64_VARIANT_ORIGINAL)>
      base64{};
  sodium_bin2base64(base64.data(), base64.size(), digest.data(), digest.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  return std::string(kVersion) + base64.data();
}

}  // namespace claviger::deliver
