#pragma once

/// Secrets come from standard input or the environment, never from an argument, where other
/// users of the machine could see them.

#include <string>

#include "base/secret.h"
#include "cli/failure.h"

namespace claviger::cli {

/// Reads standard input to its end (at most 64 KiB), without the newline at its end. Where it
/// is a terminal: asks with `prompt` and reads one line without echo.
Outcome<Secret> secret_from_stdin(const std::string& prompt);
Outcome<Secret> secret_from_environment(const std::string& variable);

/// One line of standard input, e.g. an amount; asks with `prompt` where it is a terminal.
Outcome<std::string> line_from_stdin(const std::string& prompt);

/// All of standard input, at most `bytes_max`.
Outcome<std::string> text_from_stdin(std::size_t bytes_max);

}  // namespace claviger::cli
