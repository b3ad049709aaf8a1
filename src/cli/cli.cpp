#include "cli/cli.h"

#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "base/time.h"
#include "cli/grammar.h"

namespace claviger::cli {
namespace {

void complain(std::string_view message) {
  if (message.empty()) return;  // Whoever failed has said so.
  std::fwrite(message.data(), 1, message.size(), stderr);
  std::fputc('\n', stderr);
}

int run_checked(int argc, char** argv, const Hooks& hooks) {
  const GrammarResult grammar = parse_command_line(argc, argv);
  std::fwrite(grammar.to_stdout.data(), 1, grammar.to_stdout.size(), stdout);
  if (!grammar.parsed) {
    complain(grammar.to_stderr);
    return grammar.status;
  }
  const SystemClock clock;
  Session session(clock, grammar.parsed->place, grammar.parsed->as_json, hooks);
  const auto done = grammar.parsed->command(session, grammar.parsed->arguments);
  if (std::fflush(stdout) != 0) {
    complain("claviger: standard output cannot be written to");
    return kRefused;
  }
  if (done) return 0;
  if (!done.error().message.empty()) complain(fmt::format("claviger: {}", done.error().message));
  return done.error().status;
}

}  // namespace

int run(int argc, char** argv, const Hooks& hooks) {
  try {
    return run_checked(argc, argv, hooks);
  } catch (const std::exception& error) {
    // Nothing throws on purpose once it has started; memory may run out.
    complain(fmt::format("claviger: the command ended unexpectedly: {}. Please report it.",
                         error.what()));
    return kRefused;
  }
}

}  // namespace claviger::cli
