#pragma once

/// Numbers and texts one behind the other, as short as they are: what rows of many records or
/// holds are made of. A format of our own, because SQLite's costs some 27,000 instructions for
/// a row of forty columns, and that was more than all the rest of a record's way.
///
/// Numbers are written in base 128, least significant digits first, negative ones "zigzag"
/// (0, -1, 1, -2, …), as Protocol Buffers has them
/// (https://protobuf.dev/programming-guides/encoding, 2026-11).

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "base/ids.h"

namespace claviger::store {

inline constexpr std::size_t block_items_max = 1'000;

// What lies in one block began within the same minute, so that whoever looks for an id needs to
// look only at blocks of its minute, however long some requests take.

namespace block_detail {
constexpr std::uint64_t kMillisPerMinute = 60'000;
constexpr unsigned kMillisShift = 16;  // Where an id has its milliseconds; see base/ids.h.
}  // namespace block_detail

/// Which minute an id was made in, since 1970.
constexpr std::uint64_t block_minute(RequestId id) {
  return (id.high >> block_detail::kMillisShift) / block_detail::kMillisPerMinute;
}
/// No id of that minute is smaller.
constexpr RequestId first_id_of_minute(std::uint64_t minute) {
  return {.high = (minute * block_detail::kMillisPerMinute) << block_detail::kMillisShift,
          .low = 0};
}

class Packer {
 public:
  void natural(std::uint64_t value) {
    char digits[10];
    std::size_t count = 0;
    for (; value >= 0x80; value >>= 7) digits[count++] = static_cast<char>(value | 0x80);
    digits[count++] = static_cast<char>(value);
    out_.append(digits, count);
  }
  void integer(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    natural((bits << 1) ^ (value < 0 ? ~std::uint64_t{0} : 0));
  }
  void text(std::string_view value) {
    natural(value.size());
    out_.append(value);
  }
  /// `previous` is the id before it in ascending order: only the distance of the times and what
  /// is random are written.
  void id(RequestId value, RequestId previous) {
    natural(value.high - previous.high);
    char bytes[sizeof(value.low)];
    std::memcpy(bytes, &value.low, sizeof(bytes));
    out_.append(bytes, sizeof(bytes));
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

/// Reads what a Packer wrote. Whatever the bytes are, it reads inside of them: at the first
/// thing that no Packer wrote it is broken, and gives zeroes from then on.
class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : rest_(bytes) {}

  std::uint64_t natural() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto digit = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(digit & 0x7F) << shift;
      if (digit < 0x80) return value;
    }
    return broken();
  }
  std::int64_t integer() {
    const std::uint64_t bits = natural();
    return static_cast<std::int64_t>((bits >> 1) ^ (~(bits & 1) + 1));
  }
  /// Valid as long as the bytes are.
  std::string_view text() {
    const std::uint64_t size = natural();
    if (size > rest_.size()) return broken(), std::string_view();
    const std::string_view value = rest_.substr(0, static_cast<std::size_t>(size));
    rest_.remove_prefix(value.size());
    return value;
  }
  RequestId id(RequestId previous) {
    RequestId value{.high = previous.high + natural()};
    if (rest_.size() < sizeof(value.low)) return broken(), RequestId();
    std::memcpy(&value.low, rest_.data(), sizeof(value.low));
    rest_.remove_prefix(sizeof(value.low));
    return value;
  }
  bool is_broken() const { return is_broken_; }
  bool is_at_end() const { return rest_.empty(); }
  /// Says that what was read makes no sense. Returns 0.
  std::uint64_t broken() {
    is_broken_ = true;
    rest_ = {};
    return 0;
  }

 private:
  std::string_view rest_;
  bool is_broken_ = false;
};

}  // namespace claviger::store
