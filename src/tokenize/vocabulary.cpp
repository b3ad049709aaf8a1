#include "tokenize/vocabulary.h"

#include <cassert>
#include <cstring>

namespace claviger::tokenize {
namespace {

std::uint32_t number_at(const char* at) {
  std::uint32_t number = 0;
  std::memcpy(&number, at, sizeof number);
  return number;
}

/// The same as in tools/update-tokenizers.
std::uint64_t hash_of(std::string_view token) {
  std::uint64_t value = token.size();
  const auto mix = [&value](std::uint64_t chunk) {
    value = (value ^ chunk) * 0x9E3779B97F4A7C15;
    value ^= value >> 29;
  };
  std::size_t at = 0;
  for (; at + 8 <= token.size(); at += 8) {
    std::uint64_t chunk = 0;
    std::memcpy(&chunk, token.data() + at, 8);
    mix(chunk);
  }
  if (at < token.size()) {
    std::uint64_t chunk = 0;
    std::memcpy(&chunk, token.data() + at, token.size() - at);
    mix(chunk);
  }
  return value * 0xBF58476D1CE4E5B9;
}

}  // namespace

Vocabulary::Vocabulary(std::string_view data) {
  constexpr std::size_t head_bytes = 20;
  assert(data.size() > head_bytes && data.starts_with("CLVOCAB1"));
  token_count_ = number_at(data.data() + 8);
  const std::uint32_t bits = number_at(data.data() + 12);
  token_bytes_max_ = number_at(data.data() + 16);
  shift_ = 64 - static_cast<int>(bits);
  starts_ = data.data() + head_bytes;
  entries_ = starts_ + 4 * ((std::size_t{1} << bits) + 1);
}

std::uint32_t Vocabulary::rank_of(std::string_view token) const {
  if (token.empty() || token.size() > token_bytes_max_) return none;
  const char* const bucket = starts_ + 4 * (hash_of(token) >> shift_);
  const char* entry = entries_ + number_at(bucket);
  const char* const end = entries_ + number_at(bucket + 4);
  while (entry < end) {
    const std::uint32_t head = number_at(entry);
    const std::size_t length = head & 0xFF;
    if (length == token.size() && std::memcmp(entry + 4, token.data(), length) == 0) {
      return head >> 8;
    }
    entry += 4 + length;
  }
  return none;
}

}  // namespace claviger::tokenize
