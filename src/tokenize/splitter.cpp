#include "tokenize/splitter.h"

#include "tokenize/letters.h"

namespace claviger::tokenize {
namespace {

/// Past the end nothing has a class: a character of no bytes.
Character look(std::string_view text, std::size_t at) {
  return at < text.size() ? character_at(text, at) : Character{.letter = Letter::other, .bytes = 0};
}

template <typename Is>
std::size_t skip_while(std::string_view text, std::size_t at, Is is) {
  while (at < text.size()) {
    const Character c = character_at(text, at);
    if (!is(c)) break;
    at += c.bytes;
  }
  return at;
}

/// Bytes of `(?i:'s|'t|'re|'ve|'m|'ll|'d)` at `at`, or 0. Ignoring case, the long s is an s.
std::size_t contraction_bytes(std::string_view text, std::size_t at) {
  if (at >= text.size() || text[at] != '\'') return 0;
  const Character first = look(text, at + 1);
  if (first.bytes == 0) return 0;
  constexpr std::uint32_t long_s = 0x17F;
  const auto lower = [](std::uint32_t c) { return c >= 'A' && c <= 'Z' ? c | 0x20 : c; };
  const std::uint32_t a = lower(first.code_point);
  if (a == 's' || a == long_s || a == 't' || a == 'm' || a == 'd') return 1u + first.bytes;
  const std::uint32_t b = lower(look(text, at + 2).code_point);
  const bool is_pair = (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l');
  return is_pair ? 3 : 0;
}

constexpr bool is_upperish(Letter letter) {
  return letter == Letter::upper || letter == Letter::caseless || letter == Letter::mark;
}
constexpr bool is_lowerish(Letter letter) {
  return letter == Letter::lower || letter == Letter::caseless || letter == Letter::mark;
}

/// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+`, or `begin` where it does not
/// match. What is both upper and lower is taken by the first half as long as the second still
/// gets one.
std::size_t word_in_lower(std::string_view text, std::size_t begin) {
  std::size_t at = begin;
  std::size_t behind_last_shared = begin;
  while (at < text.size()) {
    const Character c = character_at(text, at);
    if (!is_upperish(c.letter)) break;
    at += c.bytes;
    if (c.letter != Letter::upper) behind_last_shared = at;
  }
  if (look(text, at).bytes != 0 && look(text, at).letter == Letter::lower) {
    return skip_while(text, at, [](Character c) { return is_lowerish(c.letter); });
  }
  return behind_last_shared;
}

/// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*`, asked only where the former
/// does not match: then nothing but upper case follows.
std::size_t word_in_upper(std::string_view text, std::size_t begin) {
  return skip_while(text, begin, [](Character c) { return is_upperish(c.letter); });
}

/// `\p{N}{1,3}`
std::size_t numbers_end(std::string_view text, std::size_t at) {
  for (int count = 0; count < 3; ++count) {
    const Character c = look(text, at);
    if (c.bytes == 0 || c.letter != Letter::number) break;
    at += c.bytes;
  }
  return at;
}

/// ` ?[^\s\p{L}\p{N}]+` and then newlines (and, for o200k, slashes); `begin` where it does not
/// match.
std::size_t symbols_end(SplitRule rule, std::string_view text, std::size_t begin) {
  const std::size_t start = begin + (text[begin] == ' ' ? 1 : 0);
  const std::size_t end = skip_while(text, start, [](Character c) {
    return c.letter == Letter::other || c.letter == Letter::mark;
  });
  if (end == start) return begin;
  return skip_while(text, end, [rule](Character c) {
    return c.letter == Letter::newline || (rule == SplitRule::o200k && c.code_point == '/');
  });
}

/// White space that no word and no symbol takes: up to its last newline, or else all but the
/// last character where something follows. (`\s*[\r\n]+|\s+(?!\S)|\s+`; of cl100k
/// `\s++$|\s*[\r\n]|\s+(?!\S)|\s`, which differs where the text ends with it.)
std::size_t white_end(SplitRule rule, std::string_view text, std::size_t begin) {
  std::size_t at = begin;
  std::size_t behind_newline = begin;
  std::size_t last = begin;
  while (at < text.size()) {
    const Character c = character_at(text, at);
    if (!is_white(c.letter)) break;
    last = at;
    at += c.bytes;
    if (c.letter == Letter::newline) behind_newline = at;
  }
  if (rule == SplitRule::cl100k && at == text.size()) return at;
  if (behind_newline != begin) return behind_newline;
  if (at == text.size() || last == begin) return at;
  return last;
}

/// `[^\r\n\p{L}\p{N}]?` before a word.
constexpr bool may_precede_word(Letter letter) {
  return letter == Letter::mark || letter == Letter::space || letter == Letter::other;
}

std::size_t o200k_end(std::string_view text, std::size_t begin) {
  const Character first = character_at(text, begin);
  const std::size_t second = begin + first.bytes;
  const bool has_prefix = may_precede_word(first.letter);
  std::size_t end = begin;
  const auto try_word = [&](auto word, std::size_t start) {
    const std::size_t found = word(text, start);
    if (found == start) return false;
    end = found + contraction_bytes(text, found);
    return true;
  };
  if (has_prefix && try_word(word_in_lower, second)) return end;
  if (try_word(word_in_lower, begin)) return end;
  if (has_prefix && try_word(word_in_upper, second)) return end;
  if (try_word(word_in_upper, begin)) return end;
  if (first.letter == Letter::number) return numbers_end(text, begin);
  end = symbols_end(SplitRule::o200k, text, begin);
  return end != begin ? end : white_end(SplitRule::o200k, text, begin);
}

std::size_t cl100k_end(std::string_view text, std::size_t begin) {
  if (const std::size_t bytes = contraction_bytes(text, begin); bytes != 0) return begin + bytes;
  const Character first = character_at(text, begin);
  const std::size_t start = may_precede_word(first.letter) ? begin + first.bytes : begin;
  const auto letters = [](Character c) { return is_letter(c.letter); };
  std::size_t end = skip_while(text, start, letters);
  if (end != start) return end;
  if (first.letter == Letter::number) return numbers_end(text, begin);
  end = symbols_end(SplitRule::cl100k, text, begin);
  return end != begin ? end : white_end(SplitRule::cl100k, text, begin);
}

}  // namespace

std::size_t piece_end(SplitRule rule, std::string_view text, std::size_t begin) {
  return rule == SplitRule::o200k ? o200k_end(text, begin) : cl100k_end(text, begin);
}

}  // namespace claviger::tokenize
