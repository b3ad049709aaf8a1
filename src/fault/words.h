#pragma once

/// Text as words, so that rules do not depend on spelling: `model_not_found`, `ModelNotFound`,
/// `MODEL-NOT-FOUND` and "the model was not found" share the words model, not, found. Words are
/// lower case and without their endings (limit, limits, limited), apostrophes vanish (isn't,
/// isn’t and isnt are one), and addresses are left out: a link to /billing says nothing.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace claviger::fault {

using Word = std::uint64_t;  ///< The hash of a word.
using PhraseId = std::uint32_t;

/// More words of a message are not read; what matters stands at its beginning.
inline constexpr std::size_t words_max = 400;
/// Between two parts of a phrase ("limit … per day").
inline constexpr std::size_t gap_words_max = 14;

enum class Quotes : std::uint8_t {
  keep,
  /// Quoted text of more than a few words is left out: errors echo what people wrote.
  drop_long,
};

/// Appends the words of `text` to `out`, up to words_max in all.
void append_words(std::vector<Word>& out, std::string_view text, Quotes quotes);

/// Which phrases were found in a text; one bit each.
class PhraseHits {
 public:
  explicit PhraseHits(std::size_t phrases) : bits_((phrases + 63) / 64) {}
  void add(PhraseId id) { bits_[id / 64] |= std::uint64_t{1} << (id % 64); }
  bool has(PhraseId id) const { return (bits_[id / 64] >> (id % 64) & 1) != 0; }

 private:
  std::vector<std::uint64_t> bits_;
};

/// All phrases of all rules, found in one pass over a text.
///
/// A phrase is words; " … " stands for up to gap_words_max words between; a leading "^" anchors
/// it at the beginning of the text, a trailing "$" at its end.
class PhraseIndex {
 public:
  /// The same phrase has the same id. Throws std::invalid_argument on an empty phrase.
  PhraseId add(std::string_view phrase);
  std::size_t size() const { return phrases_.size(); }
  void find(const std::vector<Word>& text, PhraseHits& hits) const;

 private:
  struct Phrase {
    std::vector<std::vector<Word>> parts;
    bool at_begin = false;
    bool at_end = false;
  };
  static bool stands_at(const Phrase& phrase, const std::vector<Word>& text, std::size_t begin);

  std::vector<Phrase> phrases_;
  std::unordered_map<std::string, PhraseId> ids_;
  std::unordered_map<Word, std::vector<PhraseId>> by_first_word_;
};

}  // namespace claviger::fault
