#include "tokenize/tokenizer.h"

#include <algorithm>
#include <array>

#include "data/cl100k_base_vocabulary.h"
#include "data/o200k_base_vocabulary.h"

namespace claviger::tokenize {
namespace {

/// Up to here looking through all pairs for the lowest rank is faster than a heap.
constexpr std::size_t short_piece_bytes = 48;

/// Of equal ranks the leftmost is merged first, as the reference does.
bool comes_later(const Scratch::Candidate& a, const Scratch::Candidate& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.part > b.part;
}

constexpr std::uint32_t no_part = 0xFFFF'FFFF;

}  // namespace

const Tokenizer& Tokenizer::o200k_base() {
  static const Tokenizer tokenizer(SplitRule::o200k, data::o200k_base_vocabulary);
  return tokenizer;
}

const Tokenizer& Tokenizer::cl100k_base() {
  static const Tokenizer tokenizer(SplitRule::cl100k, data::cl100k_base_vocabulary);
  return tokenizer;
}

TokenCount Tokenizer::count(std::string_view text, Scratch& scratch) const {
  TokenCount total;
  walk(text, 0, text.size(), scratch, nullptr, total);
  return total;
}

TokenCount Tokenizer::encode(std::string_view text, Scratch& scratch,
                             std::vector<std::uint32_t>& tokens) const {
  TokenCount total;
  walk(text, 0, text.size(), scratch, &tokens, total);
  return total;
}

std::size_t Tokenizer::count_step(std::string_view text, std::size_t at, std::size_t bytes,
                                  Scratch& scratch, TokenCount& total) const {
  const std::size_t end = at + std::min(bytes, text.size() - at);
  return walk(text, at, end, scratch, nullptr, total);
}

/// Between a letter and a space there is always a cut, and what follows a cut does not depend on
/// what came before it.
std::string_view Tokenizer::context_free(std::string_view text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto is_cut = [&](std::size_t at) { return text[at] == ' ' && is_letter(text[at - 1]); };
  std::size_t first = 1;
  while (first < text.size() && !is_cut(first)) ++first;
  if (first >= text.size()) return {};
  std::size_t last = text.size() - 1;
  while (!is_cut(last)) --last;
  return text.substr(first, last - first);
}

TokenCount Tokenizer::count_in_any_context(std::string_view text, Scratch& scratch) const {
  const std::string_view middle = context_free(text);
  TokenCount total = count(middle, scratch);
  total.tokens += static_cast<std::int64_t>(text.size() - middle.size());
  total.is_exact = false;
  return total;
}

std::size_t Tokenizer::walk(std::string_view text, std::size_t at, std::size_t end,
                            Scratch& scratch, std::vector<std::uint32_t>* tokens,
                            TokenCount& total) const {
  while (at < end) {
    const std::size_t piece_ends = piece_end(rule_, text, at);
    const std::string_view piece = text.substr(at, piece_ends - at);
    if (piece.size() > piece_bytes_max) {
      total.is_exact = false;
      total.tokens += static_cast<std::int64_t>(piece.size());
    } else {
      total.tokens += static_cast<std::int64_t>(count_piece(piece, scratch, tokens));
    }
    at = piece_ends;
  }
  return at;
}

std::size_t Tokenizer::count_piece(std::string_view piece, Scratch& scratch,
                                   std::vector<std::uint32_t>* tokens) const {
  const std::uint32_t whole = vocabulary_.rank_of(piece);
  if (whole != Vocabulary::none) {
    if (tokens != nullptr) tokens->push_back(whole);
    return 1;
  }
  return piece.size() <= short_piece_bytes ? merge_short(piece, tokens)
                                           : merge_long(piece, scratch, tokens);
}

std::size_t Tokenizer::merge_short(std::string_view piece,
                                   std::vector<std::uint32_t>* tokens) const {
  /// begins[i] and begins[i + 1] bound part i; ranks[i] is of parts i and i + 1 merged.
  std::array<std::uint8_t, short_piece_bytes + 1> begins;
  std::array<std::uint32_t, short_piece_bytes> ranks;
  std::size_t count = piece.size();
  for (std::size_t i = 0; i <= count; ++i) begins[i] = static_cast<std::uint8_t>(i);
  const auto pair_rank = [&](std::size_t i) {
    if (i + 2 > count) return Vocabulary::none;
    return vocabulary_.rank_of(piece.substr(begins[i], begins[i + 2] - begins[i]));
  };
  for (std::size_t i = 0; i < count; ++i) ranks[i] = pair_rank(i);
  while (count > 1) {
    const auto lowest = std::min_element(ranks.begin(), ranks.begin() + count - 1);
    if (*lowest == Vocabulary::none) break;
    const auto i = static_cast<std::size_t>(lowest - ranks.begin());
    std::copy(begins.begin() + i + 2, begins.begin() + count + 1, begins.begin() + i + 1);
    std::copy(ranks.begin() + i + 2, ranks.begin() + count, ranks.begin() + i + 1);
    --count;
    ranks[i] = pair_rank(i);
    if (i > 0) ranks[i - 1] = pair_rank(i - 1);
  }
  if (tokens != nullptr) {
    for (std::size_t i = 0; i < count; ++i) {
      tokens->push_back(vocabulary_.rank_of(piece.substr(begins[i], begins[i + 1] - begins[i])));
    }
  }
  return count;
}

std::size_t Tokenizer::merge_long(std::string_view piece, Scratch& scratch,
                                  std::vector<std::uint32_t>* tokens) const {
  auto& parts = scratch.parts;
  auto& heap = scratch.heap;
  const auto size = static_cast<std::uint32_t>(piece.size());
  parts.resize(size);
  heap.clear();
  const auto end_of = [&](const Scratch::Part& part) {
    return part.next == no_part ? size : parts[part.next].begin;
  };
  const auto consider = [&](std::uint32_t at) {
    Scratch::Part& part = parts[at];
    part.rank = Vocabulary::none;
    if (part.next == no_part) return;
    const std::uint32_t end = end_of(parts[part.next]);
    part.rank = vocabulary_.rank_of(piece.substr(part.begin, end - part.begin));
    if (part.rank == Vocabulary::none) return;
    heap.push_back({.rank = part.rank, .part = at});
  };
  for (std::uint32_t i = 0; i < size; ++i) {
    parts[i] = {.begin = i, .next = i + 1 < size ? i + 1 : no_part, .previous = i - 1};
  }
  for (std::uint32_t i = 0; i < size; ++i) consider(i);
  std::make_heap(heap.begin(), heap.end(), comes_later);
  std::size_t count = size;
  while (!heap.empty()) {
    const Scratch::Candidate best = heap.front();
    std::pop_heap(heap.begin(), heap.end(), comes_later);
    heap.pop_back();
    Scratch::Part& part = parts[best.part];
    if (part.rank != best.rank) continue;  // One of the two has been merged since.
    const std::uint32_t gone = part.next;
    part.next = parts[gone].next;
    parts[gone].rank = Vocabulary::none;
    if (part.next != no_part) parts[part.next].previous = best.part;
    --count;
    const auto push_new = [&](std::uint32_t at) {
      const std::size_t before = heap.size();
      consider(at);
      if (heap.size() != before) std::push_heap(heap.begin(), heap.end(), comes_later);
    };
    push_new(best.part);
    if (best.part != 0) push_new(part.previous);
  }
  if (tokens != nullptr) {
    for (std::uint32_t at = 0; at != no_part; at = parts[at].next) {
      const Scratch::Part& part = parts[at];
      tokens->push_back(vocabulary_.rank_of(piece.substr(part.begin, end_of(part) - part.begin)));
    }
  }
  return count;
}

}  // namespace claviger::tokenize
