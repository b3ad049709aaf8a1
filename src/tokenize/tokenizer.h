#pragma once

/// How many tokens a text is, exactly: byte pair encoding as OpenAI's models use it. Equal to
/// the reference implementation, tiktoken, token by token; test/tokenizers proves it on ten
/// thousand texts.
///
/// What it costs: linear in the text, n log n in the length of a piece; a piece is a word, a
/// number, or a run of symbols or white space. Memory is bounded by the longest piece, and
/// pieces by piece_bytes_max.
///
/// Threads: immutable; share it freely. A Scratch belongs to one caller at a time.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenize/splitter.h"
#include "tokenize/vocabulary.h"

namespace claviger::tokenize {

/// A longer piece, such as a megabyte of one letter, is not worth its time. Its bytes are
/// counted instead, which no count of tokens exceeds, and the count says that it is no longer
/// exact.
inline constexpr std::size_t piece_bytes_max = 64 * 1024;

struct TokenCount {
  std::int64_t tokens = 0;
  bool is_exact = true;  ///< False: it is at most so many.
};

/// Memory that is kept between texts.
class Scratch {
 public:
  struct Part {
    std::uint32_t begin = 0;
    std::uint32_t next = 0;
    std::uint32_t previous = 0;
    std::uint32_t rank = Vocabulary::none;  ///< Of this part merged with the next.
  };
  struct Candidate {
    std::uint32_t rank = 0;
    std::uint32_t part = 0;
  };
  std::vector<Part> parts;
  std::vector<Candidate> heap;
};

class Tokenizer {
 public:
  Tokenizer(SplitRule rule, std::string_view vocabulary) : rule_(rule), vocabulary_(vocabulary) {}

  /// The two of OpenAI, which live for ever.
  static const Tokenizer& o200k_base();
  static const Tokenizer& cl100k_base();

  TokenCount count(std::string_view text, Scratch& scratch) const;

  /// The same in steps, for those who must not be away for long: adds the tokens of the pieces
  /// from `at` on, up to the first end of a piece at least `bytes` further, and returns where it
  /// stopped; text.size() at the end. A step looks at up to a piece more than `bytes`.
  std::size_t count_step(std::string_view text, std::size_t at, std::size_t bytes, Scratch& scratch,
                         TokenCount& total) const;

  /// The stretch of `text` whose tokens are the same whatever stands before and behind it: from
  /// its first space behind a letter to its last. Empty where there are no two.
  static std::string_view context_free(std::string_view text);

  /// An upper bound of what `text` adds to the tokens of any text that it stands in, whatever is
  /// before and behind it: only its first and last word could become something else there, and
  /// are counted by their bytes.
  TokenCount count_in_any_context(std::string_view text, Scratch& scratch) const;

  /// The tokens themselves, appended to `tokens`. A piece that is too long adds none, and is
  /// said to be inexact.
  TokenCount encode(std::string_view text, Scratch& scratch,
                    std::vector<std::uint32_t>& tokens) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  std::size_t count_piece(std::string_view piece, Scratch& scratch,
                          std::vector<std::uint32_t>* tokens) const;
  std::size_t merge_short(std::string_view piece, std::vector<std::uint32_t>* tokens) const;
  std::size_t merge_long(std::string_view piece, Scratch& scratch,
                         std::vector<std::uint32_t>* tokens) const;
  std::size_t walk(std::string_view text, std::size_t at, std::size_t end, Scratch& scratch,
                   std::vector<std::uint32_t>* tokens, TokenCount& total) const;

  SplitRule rule_;
  Vocabulary vocabulary_;
};

}  // namespace claviger::tokenize
