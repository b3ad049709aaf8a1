#include "base/ids.h"

#include <sys/random.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>

namespace claviger {
inline namespace base {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::string_view kPrefix = "req_";
constexpr int kDigits = 26;

/// xoshiro256++ (Blackman and Vigna, public domain): ids must be unguessable enough not to
/// be enumerated, and are never secrets, so a fast generator seeded by the kernel will do.
class Generator {
 public:
  Generator() {
    if (getrandom(state_.data(), sizeof(state_), 0) != static_cast<ssize_t>(sizeof(state_))) {
      std::abort();  // Without the kernel's randomness nothing here is safe.
    }
  }
  std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace

RequestId new_request_id(WallTime now) {
  thread_local Generator generator;
  const auto millis = static_cast<std::uint64_t>(unix_micros(now) / 1000);
  return {.high = (millis << 16) | (generator.next() & 0xFFFF), .low = generator.next()};
}

RequestId oldest_request_id(WallTime when) {
  const std::int64_t millis = std::max<std::int64_t>(0, unix_micros(when) / 1000);
  return {.high = static_cast<std::uint64_t>(millis) << 16, .low = 0};
}

std::string RequestId::text() const {
  std::string text(kPrefix.size() + kDigits, '0');
  std::memcpy(text.data(), kPrefix.data(), kPrefix.size());
  unsigned __int128 bits = (static_cast<unsigned __int128>(high) << 64) | low;
  for (int i = kDigits - 1; i >= 0; --i) {
    text[kPrefix.size() + static_cast<std::size_t>(i)] =
        kAlphabet[static_cast<std::size_t>(bits & 31)];
    bits >>= 5;
  }
  return text;
}

std::optional<RequestId> RequestId::parse(std::string_view text) {
  if (text.starts_with(kPrefix)) text.remove_prefix(kPrefix.size());
  if (text.size() != kDigits || text.front() > '7') return std::nullopt;
  unsigned __int128 bits = 0;
  for (const char c : text) {
    const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    const std::size_t digit = kAlphabet.find(upper);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = (bits << 5) | digit;
  }
  return RequestId{.high = static_cast<std::uint64_t>(bits >> 64),
                   .low = static_cast<std::uint64_t>(bits)};
}

}  // namespace base
}  // namespace claviger
