#include "access/model_pattern.h"

#include <algorithm>

namespace claviger::access {

bool matches_pattern(std::string_view pattern, std::string_view model) {
  std::size_t p = 0;
  std::size_t m = 0;
  // Where to go on when a character does not fit: the last star takes one character more. An
  // earlier star never has to, since the last one can take whatever it would have.
  std::size_t after_star = std::string_view::npos;
  std::size_t star_ends_at = 0;
  while (m < model.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      after_star = ++p;
      star_ends_at = m;
    } else if (p < pattern.size() && pattern[p] == model[m]) {
      ++p;
      ++m;
    } else if (after_star != std::string_view::npos) {
      p = after_star;
      m = ++star_ends_at;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool may_use(const VirtualKey& key, std::string_view model) {
  return key.models.empty() || std::ranges::any_of(key.models, [model](const std::string& pattern) {
           return matches_pattern(pattern, model);
         });
}

}  // namespace claviger::access
