#pragma once

/// The last words of a runner: what it printed before it ended, for the message that says why.
///
/// While it loads, everything that it prints is about the file and the machine and is kept.
/// Once it answers requests, what it prints may quote them: llama-server de3ff81 warns of a bad
/// JSON schema with a piece of that schema. From then on only lines are kept that llama.cpp and
/// the C++ library print when they give up, whose text is the program's own.

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

namespace claviger::local {

class OutputTail {
 public:
  static constexpr std::size_t lines_max = 24;
  static constexpr std::size_t line_bytes_max = 400;

  /// Bytes as they come, lines in pieces included.
  void add(std::string_view bytes);
  /// From now on requests may be quoted.
  void is_serving();
  /// The last lines that say something, joined by " | "; control characters and other bytes
  /// outside of ASCII become '?'. Empty where it said nothing.
  std::string last_words() const;

 private:
  void end_line();

  bool serving_ = false;
  std::string line_;
  std::deque<std::string> lines_;
};

}  // namespace claviger::local
