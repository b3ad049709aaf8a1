#pragma once

/// A vocabulary of byte strings with their ranks, searched where it lies: nothing is loaded and
/// nothing is allocated, so the first request that needs it pays no more than the thousandth.
///
/// The form, as tools/update-tokenizers writes it, all numbers little-endian: "CLVOCAB1"; the
/// number of tokens, the bits of a bucket's number, and the longest token's bytes, 32 bits each;
/// 2^bits + 1 offsets of 32 bits, where each bucket's entries begin; and the entries, each of a
/// length in one byte, a rank in three, and the token. A token's bucket is the top bits of
/// hash_of(token).

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace claviger::tokenize {

class Vocabulary {
 public:
  /// `data` is trusted: it comes with this build. It must outlive this.
  explicit Vocabulary(std::string_view data);

  static constexpr std::uint32_t none = 0xFFFF'FFFF;
  /// `none` where there is no such token.
  std::uint32_t rank_of(std::string_view token) const;

  std::size_t token_count() const { return token_count_; }
  std::size_t token_bytes_max() const { return token_bytes_max_; }

 private:
  const char* starts_ = nullptr;
  const char* entries_ = nullptr;
  int shift_ = 0;
  std::uint32_t token_count_ = 0;
  std::uint32_t token_bytes_max_ = 0;
};

}  // namespace claviger::tokenize
