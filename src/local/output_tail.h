#pragma once

/// The last words of a runner: what it printed before it ended, for the message that says why.
/// The first lines name the cause, the last one the consequence; between them llama-server
/// repeats itself ("failed to load model", once for each of its layers), so those go.
///
/// While it loads, everything that it prints is about the file and the machine and is kept.
/// Once it answers requests, what it prints may quote them: llama-server de3ff81 warns of a bad
/// JSON schema with a piece of that schema. From then on only lines are kept that llama.cpp and
/// the C++ library print when they give up, whose text is the program's own.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace claviger::local {

class OutputTail {
 public:
  static constexpr std::size_t first_lines_max = 2;
  static constexpr std::size_t line_bytes_max = 400;

  /// Bytes as they come, lines in pieces included.
  void add(std::string_view bytes);
  /// From now on requests may be quoted.
  void is_serving();
  /// The first lines that say something and the last one, joined by " | "; control characters
  /// and other bytes outside of ASCII become '?'. Empty where it said nothing.
  std::string last_words() const;

 private:
  void end_line();

  bool serving_ = false;
  std::string line_;
  std::vector<std::string> first_lines_;
  std::string last_line_;
};

}  // namespace claviger::local
