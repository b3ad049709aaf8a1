#pragma once

/// Reading the command line: which command, with which arguments. What is wrong by itself (a
/// misspelt option, an amount that is none) is found here, before anything is asked or changed.

#include <optional>
#include <string>
#include <vector>

#include "cli/commands.h"

namespace claviger::cli {

struct ParsedCommand {
  Command command = nullptr;
  std::string path;  ///< "budget set"
  Arguments arguments;
  ServerPlace place;
  bool as_json = false;
};

struct GrammarResult {
  /// Nothing where help or the version was asked for, or where the usage is wrong.
  std::optional<ParsedCommand> parsed;
  int status = 0;
  std::string to_stdout;
  std::string to_stderr;
};

GrammarResult parse_command_line(int argc, const char* const* argv);

/// All commands, "budget set" and so on, in the order of the help; and the options of each.
/// For the test that holds docs/reference/cli.md against the program.
struct CommandDescription {
  std::string path;
  std::string what;                  ///< One line.
  std::vector<std::string> options;  ///< "--owner", …
};
std::vector<CommandDescription> describe_commands();

}  // namespace claviger::cli
