#include "fault/words.h"

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>

namespace claviger::fault {
namespace {

constexpr std::size_t kWordBytesMax = 48;
constexpr std::size_t kQuotedWordsMax = 5;
/// A quotation that does not end within this is none.
constexpr std::size_t kQuotedBytesMax = 1500;

bool is_lower(unsigned char c) {
  return c >= 'a' && c <= 'z';
}
bool is_upper(unsigned char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_digit(unsigned char c) {
  return c >= '0' && c <= '9';
}
/// Bytes of characters beyond ASCII are letters: other languages have words as well.
bool is_letter(unsigned char c) {
  return is_lower(c) || is_upper(c) || c >= 0x80;
}

/// limits, limited, limiting → limit; exceeded → exce. Crude, but rules pass through it as well.
std::string_view without_ending(std::string_view word) {
  const auto drop = [&](std::string_view ending) {
    if (word.size() < ending.size() + 4 || !word.ends_with(ending)) return false;
    word.remove_suffix(ending.size());
    return true;
  };
  if (!drop("ing") && !drop("ed") && !drop("es")) drop("s");
  drop("e");
  return word;
}

Word hash_of(std::string_view word) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const unsigned char c : word) hash = (hash ^ c) * 1099511628211ULL;
  return hash;
}

/// Takes characters and gives words.
class Splitter {
 public:
  explicit Splitter(std::vector<Word>& out) : out_(out) {}
  void letter(unsigned char c) {
    if (size_ < kWordBytesMax) {
      word_[size_++] = static_cast<char>(is_upper(c) ? c + ('a' - 'A') : c);
    }
  }
  void end_word() {
    if (size_ > 0 && out_.size() < words_max) {
      out_.push_back(hash_of(without_ending(std::string_view(word_.data(), size_))));
    }
    size_ = 0;
  }

 private:
  std::vector<Word>& out_;
  std::array<char, kWordBytesMax> word_{};
  std::size_t size_ = 0;
};

bool starts_address(std::string_view rest) {
  return rest.starts_with("http://") || rest.starts_with("https://") || rest.starts_with("www.");
}

std::size_t address_bytes(std::string_view rest) {
  const std::size_t end = rest.find_first_of(" \t\r\n\"'<>)]}");
  return end == std::string_view::npos ? rest.size() : end;
}

struct QuoteMarks {
  std::string_view open, close;
};
constexpr std::array<QuoteMarks, 6> kQuoteMarks = {
    {{"\"", "\""}, {"'", "'"}, {"`", "`"}, {"“", "”"}, {"«", "»"}, {"„", "“"}}};

std::size_t count_words(std::string_view text) {
  std::size_t count = 0;
  bool inside = false;
  for (const unsigned char c : text) {
    const bool letter = is_letter(c) || is_digit(c);
    if (letter && !inside) ++count;
    inside = letter;
  }
  return count;
}

/// Bytes of a long quotation that begins at `rest`, its marks included; 0 where there is none.
std::size_t long_quotation_bytes(std::string_view rest) {
  for (const auto& [open, close] : kQuoteMarks) {
    if (!rest.starts_with(open)) continue;
    const std::size_t end = rest.find(close, open.size());
    const std::size_t bytes = end == std::string_view::npos ? rest.size() : end + close.size();
    if (end != std::string_view::npos && bytes > kQuotedBytesMax) return 0;
    const std::string_view inside = rest.substr(open.size(), bytes - open.size());
    return count_words(inside) > kQuotedWordsMax ? bytes : 0;
  }
  return 0;
}

}  // namespace

void append_words(std::vector<Word>& out, std::string_view text, Quotes quotes) {
  Splitter splitter(out);
  unsigned char before = ' ';
  for (std::size_t i = 0; i < text.size() && out.size() < words_max; ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool at_word_start = !is_letter(before) && !is_digit(before);
    if (at_word_start && starts_address(text.substr(i, 8))) {
      splitter.end_word();
      i += address_bytes(text.substr(i)) - 1;
      before = ' ';
      continue;
    }
    if (c == '\'' && is_letter(before) && i + 1 < text.size() && is_lower(text[i + 1])) continue;
    if (text.substr(i, 3) == "’") {
      i += 2;
      continue;
    }
    if (quotes == Quotes::drop_long && at_word_start) {
      if (const std::size_t bytes = long_quotation_bytes(text.substr(i)); bytes > 0) {
        splitter.end_word();
        i += bytes - 1;
        before = ' ';
        continue;
      }
    }
    if (is_letter(c) || is_digit(c)) {
      const bool next_is_lower = i + 1 < text.size() && is_lower(text[i + 1]);
      const bool hump = is_upper(c) && (is_lower(before) || (is_upper(before) && next_is_lower));
      if (hump) splitter.end_word();
      splitter.letter(c);
    } else {
      splitter.end_word();
    }
    before = c;
  }
  splitter.end_word();
}

PhraseId PhraseIndex::add(std::string_view phrase) {
  if (const auto known = ids_.find(std::string(phrase)); known != ids_.end()) return known->second;
  Phrase made;
  std::string_view rest = phrase;
  if (rest.starts_with("^")) {
    made.at_begin = true;
    rest.remove_prefix(1);
  }
  if (rest.ends_with("$")) {
    made.at_end = true;
    rest.remove_suffix(1);
  }
  constexpr std::string_view kGap = "…";
  while (true) {
    const std::size_t gap = rest.find(kGap);
    std::vector<Word> words;
    append_words(words, rest.substr(0, gap), Quotes::keep);
    if (words.empty()) {
      throw std::invalid_argument("a phrase without words: \"" + std::string(phrase) + "\"");
    }
    made.parts.push_back(std::move(words));
    if (gap == std::string_view::npos) break;
    rest.remove_prefix(gap + kGap.size());
  }
  const auto id = static_cast<PhraseId>(phrases_.size());
  by_first_word_[made.parts.front().front()].push_back(id);
  phrases_.push_back(std::move(made));
  ids_.emplace(phrase, id);
  return id;
}

bool PhraseIndex::stands_at(const Phrase& phrase, const std::vector<Word>& text,
                            std::size_t begin) {
  std::size_t at = begin;
  std::size_t slack = 0;
  for (const std::vector<Word>& part : phrase.parts) {
    const std::size_t last = std::min(text.size(), at + slack + 1);
    std::optional<std::size_t> found;
    for (std::size_t start = at; start < last && start + part.size() <= text.size(); ++start) {
      if (std::equal(part.begin(), part.end(), text.begin() + static_cast<std::ptrdiff_t>(start))) {
        found = start;
        break;
      }
    }
    if (!found) return false;
    at = *found + part.size();
    slack = gap_words_max;
  }
  return !phrase.at_end || at == text.size();
}

void PhraseIndex::find(const std::vector<Word>& text, PhraseHits& hits) const {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto candidates = by_first_word_.find(text[i]);
    if (candidates == by_first_word_.end()) continue;
    for (const PhraseId id : candidates->second) {
      const Phrase& phrase = phrases_[id];
      if (phrase.at_begin && i != 0) continue;
      if (!hits.has(id) && stands_at(phrase, text, i)) hits.add(id);
    }
  }
}

}  // namespace claviger::fault
