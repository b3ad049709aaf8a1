#include "local/output_tail.h"

#include <algorithm>
#include <array>

namespace claviger::local {
namespace {

/// Beginnings of what is printed on the way out. `what():` is not among them: an exception's
/// text may quote a request.
constexpr std::array<std::string_view, 5> words_of_giving_up = {
    "GGML_ASSERT(", "terminate called", "std::bad_alloc", "failed to allocate", "out of memory",
};

bool is_noise(std::string_view line) {
  return line.find_first_not_of(" \t.-") == std::string_view::npos ||
         line.find("llama_server: initializing") != std::string_view::npos;
}

/// llama-server puts its age, a letter and a component in front: "0.00.002.380 E srv  main: …".
std::string_view without_prefix(std::string_view line) {
  const std::size_t digits = line.find_first_not_of("0123456789.");
  if (digits == std::string_view::npos || digits < 8 || line[digits] != ' ') return line;
  line.remove_prefix(digits + 1);
  if (line.size() > 2 && line[1] == ' ') line.remove_prefix(2);
  return line;
}

}  // namespace

void OutputTail::add(std::string_view bytes) {
  for (const char c : bytes) {
    if (c == '\n') {
      end_line();
    } else if (line_.size() < line_bytes_max) {
      line_ += c >= ' ' && c <= '~' ? c : '?';
    }
  }
}

void OutputTail::is_serving() {
  serving_ = true;
  first_lines_.clear();
  last_line_.clear();
  line_.clear();
}

void OutputTail::end_line() {
  const std::string_view line = without_prefix(line_);
  const bool keep =
      !is_noise(line) && (!serving_ || std::ranges::any_of(words_of_giving_up, [&](auto words) {
        return line.find(words) != std::string_view::npos;
      }));
  if (keep && first_lines_.size() < first_lines_max) {
    first_lines_.emplace_back(line);
  } else if (keep) {
    last_line_ = line;
  }
  line_.clear();
}

std::string OutputTail::last_words() const {
  OutputTail ended = *this;
  ended.end_line();
  std::string words;
  for (const std::string& line : ended.first_lines_) {
    words += (words.empty() ? "" : " | ") + line;
  }
  if (!ended.last_line_.empty()) words += " | " + ended.last_line_;
  return words;
}

}  // namespace claviger::local
