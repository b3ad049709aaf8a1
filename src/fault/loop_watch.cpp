#include "fault/loop_watch.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace claviger::fault {
namespace {

/// What repeats for so long is no style.
constexpr std::size_t kWordsMin = 96;
constexpr std::size_t kRepetitionsMin = 8;

constexpr std::uint64_t each_byte(unsigned char byte) {
  return 0x0101010101010101U * byte;
}
constexpr std::uint64_t kHighBits = each_byte(0x80);

/// Blanks and control characters.
constexpr bool is_blank(unsigned char byte) {
  return byte <= ' ';
}

/// The first byte of a character of a script that puts no blanks between its words, by and large:
/// U+3000 and above, and Thai, Lao and Tibetan (U+0E00 to U+0FFF).
constexpr bool begins_own_word(unsigned char byte) {
  return byte >= 0xE3;
}

}  // namespace

bool LoopWatch::may_loop(std::string_view whole_text) {
  // A word ends with a blank, or is a character of a script without blanks.
  std::size_t words = 1;
  while (!whole_text.empty()) {
    constexpr std::size_t kBytes = 240;  // Their count fits into a byte, for many at once.
    const std::string_view block = whole_text.substr(0, kBytes);
    std::uint8_t ends = 0;
    for (const char c : block) {
      const auto byte = static_cast<std::uint8_t>(c);
      ends = static_cast<std::uint8_t>(ends + (is_blank(byte) || begins_own_word(byte) ? 1 : 0));
    }
    words += ends;
    whole_text.remove_prefix(block.size());
  }
  return words >= kWordsMin;
}

void LoopWatch::take(std::string_view piece) {
  static_assert(std::endian::native == std::endian::little);
  const char* at = piece.data();
  const char* const end = at + piece.size();
  while (end - at >= 8) {
    if (loops_) return;
    std::uint64_t eight = 0;
    std::memcpy(&eight, at, sizeof eight);
    if ((eight & kHighBits) != 0) {
      for (int i = 0; i < 8; ++i) take_byte(static_cast<unsigned char>(*at++));
      continue;
    }
    // The lowest bit that is set stands in the first blank; those above it may be wrong.
    const std::uint64_t blanks = (eight - each_byte(' ' + 1)) & kHighBits;
    if (blanks == 0) {
      add(eight, 8);
      at += 8;
      continue;
    }
    const auto before = static_cast<unsigned>(std::countr_zero(blanks)) / 8;
    add(eight & ((std::uint64_t{1} << (8 * before)) - 1), before);
    end_word();
    at += before + 1;
  }
  for (; at != end && !loops_; ++at) take_byte(static_cast<unsigned char>(*at));
}

void LoopWatch::take_byte(unsigned char byte) {
  if (is_blank(byte)) return end_word();
  if (begins_own_word(byte)) end_word();
  add(byte, 1);
}

void LoopWatch::add(std::uint64_t bytes, unsigned count) {
  if (length_ < 8) begin_ |= bytes << (8 * length_);
  length_ += count;
}

void LoopWatch::end_word() {
  if (length_ == 0) return;
  const std::uint64_t mixed = (begin_ ^ (std::uint64_t{length_} << 56)) * 0x9E3779B97F4A7C15U;
  const auto hash = static_cast<std::uint16_t>(mixed >> 48);
  const std::uint16_t word = hash == 0 ? std::uint16_t{1} : hash;  // 0: no word has been there yet.
  begin_ = 0;
  length_ = 0;

  words_[kBlock + words_of_block_++] = word;
  if (words_of_block_ == kBlock) end_block();
}

void LoopWatch::end_block() {
  const std::uint16_t* const block = words_.data() + kBlock;
  for (std::size_t period = 1; period <= kBlock; ++period) {
    std::uint8_t& repeated = blocks_repeated_[period - 1];
    const std::uint16_t* const before = block - period;
    if (*block != *before || !std::equal(block, block + kBlock, before)) {
      repeated = 0;
      continue;
    }
    ++repeated;
    loops_ = loops_ || repeated * kBlock >= std::max(kWordsMin, period * kRepetitionsMin);
  }
  std::copy_n(block, kBlock, words_.begin());
  words_of_block_ = 0;
}

}  // namespace claviger::fault
