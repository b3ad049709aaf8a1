#pragma once

/// What a seal is bound to, as bytes that can be read in one way only.
///
/// Each part is preceded by its length. Without lengths, owner "1" with provider "2x" and owner
/// "12" with provider "x" would be the same bytes, and a row could be moved from one to the
/// other.

#include <cstdint>
#include <string>
#include <string_view>

namespace claviger::vault {

class AssociatedData {
 public:
  /// `purpose` separates the uses of one key; it carries the version of the layout.
  explicit AssociatedData(std::string_view purpose) { add(purpose); }

  /// A part: its length in 4 bytes, little endian, then its bytes. Below 4 GiB.
  AssociatedData& add(std::string_view part) {
    add_bytes(part.size(), 4);
    bytes_.append(part);
    return *this;
  }
  /// A number, in 8 bytes, little endian.
  AssociatedData& add(std::int64_t number) {
    add_bytes(static_cast<std::uint64_t>(number), 8);
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void add_bytes(std::uint64_t value, int count) {
    for (int i = 0; i < count; ++i) bytes_.push_back(static_cast<char>(value >> (8 * i)));
  }
  std::string bytes_;
};

}  // namespace claviger::vault
