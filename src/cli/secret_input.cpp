#include "cli/secret_input.h"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <optional>

namespace claviger::cli {
namespace {

constexpr std::size_t kSecretBytesMax = 64 * 1024;

/// While it lives, what is typed is not shown.
class EchoOff {
 public:
  EchoOff() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    is_off_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
  }
  EchoOff(const EchoOff&) = delete;
  EchoOff& operator=(const EchoOff&) = delete;
  ~EchoOff() {
    if (!is_off_) return;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    std::fputc('\n', stderr);
  }

 private:
  termios before_{};
  bool is_off_ = false;
};

enum class Until : std::uint8_t { end, line };

/// Into `text`, whose room was taken beforehand so that it never grows and leaves copies.
Outcome<void> read_into(std::string& text, std::size_t bytes_max, Until until) {
  char byte = 0;
  for (;;) {
    const ssize_t count = ::read(STDIN_FILENO, &byte, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return refused("standard input cannot be read");
    if (count == 0 || (until == Until::line && byte == '\n')) return {};
    if (text.size() == bytes_max) {
      return refused(fmt::format("there are more than {} bytes on standard input", bytes_max));
    }
    text += byte;
  }
}

}  // namespace

Outcome<Secret> secret_from_stdin(const std::string& prompt) {
  const bool is_terminal = isatty(STDIN_FILENO) == 1;
  std::string text;
  text.reserve(kSecretBytesMax);
  std::optional<EchoOff> silence;
  if (is_terminal) {
    std::fprintf(stderr, "%s: ", prompt.c_str());
    silence.emplace();
  }
  const auto read = read_into(text, kSecretBytesMax, is_terminal ? Until::line : Until::end);
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  Secret secret = Secret::copy_of(text);
  wipe(text.data(), text.size());
  if (!read) return std::unexpected(read.error());
  if (secret.empty()) return refused("the key on standard input is empty; give it as one line");
  return secret;
}

Outcome<Secret> secret_from_environment(const std::string& variable) {
  const char* const value = std::getenv(variable.c_str());
  if (value == nullptr) {
    return refused(
        fmt::format("the environment variable {} is not set; export it, or use "
                    "--key-stdin",
                    variable));
  }
  if (*value == '\0') {
    return refused(
        fmt::format("the environment variable {} is empty; set it to the key", variable));
  }
  return Secret::copy_of(value);
}

Outcome<std::string> line_from_stdin(const std::string& prompt) {
  if (isatty(STDIN_FILENO) == 1) std::fprintf(stderr, "%s: ", prompt.c_str());
  std::string text;
  if (auto read = read_into(text, 1024, Until::line); !read) return std::unexpected(read.error());
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r')) text.pop_back();
  return text;
}

Outcome<std::string> text_from_stdin(std::size_t bytes_max) {
  std::string text;
  char piece[16 * 1024];
  for (;;) {
    const ssize_t count = ::read(STDIN_FILENO, piece, sizeof piece);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return refused("standard input cannot be read");
    if (count == 0) return text;
    text.append(piece, static_cast<std::size_t>(count));
    if (text.size() > bytes_max) {
      return refused(fmt::format("there are more than {} bytes on standard input", bytes_max));
    }
  }
}

}  // namespace claviger::cli
