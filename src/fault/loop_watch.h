#pragma once

/// Finds a text that says the same words again and again, as it comes. A word is what stands
/// between blanks; where a script has none (Chinese, Japanese, Korean, Thai), a character.
///
/// Every successful answer passes through here, so it is made to cost little: eight bytes are
/// looked at together, and a word is compared with the 32 before it at once (some 60 instructions a
/// word).

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace claviger::fault {

/// Threads: one at a time. Keeps 200 bytes; how the text is cut into pieces makes no difference.
class LoopWatch {
 public:
  void take(std::string_view piece);
  /// Whether a text has as many words as it takes to loop: at least 96. Most answers have fewer,
  /// and of a whole one that can be seen beforehand, at a tenth of what taking it costs.
  static bool may_loop(std::string_view whole_text);
  /// A period of up to 32 words has come eight times in a row, for 96 words and more. Seen for
  /// certain where it goes on for 63 words more: blocks do not begin and end where a loop does.
  bool loops() const { return loops_; }

 private:
  static constexpr std::size_t kBlock = 32;  ///< Words, and the longest period.

  void take_byte(unsigned char byte);
  void add(std::uint64_t bytes, unsigned count);
  void end_word();
  void end_block();

  // The word under way: its first eight bytes, and how many there are.
  std::uint64_t begin_ = 0;
  std::uint32_t length_ = 0;
  bool loops_ = false;
  // The last block and the one under way, as 16-bit hashes.
  std::size_t words_of_block_ = 0;
  std::array<std::uint16_t, 2 * kBlock> words_{};
  // How many blocks in a row equalled what stands a period before them; period 1 first.
  std::array<std::uint8_t, kBlock> blocks_repeated_{};
};

}  // namespace claviger::fault
