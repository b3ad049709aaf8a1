#pragma once

/// Starts a program inside the sandbox from a process with many threads.
///
/// Between fork and exec only raw system calls run: another thread may have held any lock,
/// malloc's included, at the moment of the fork. So everything is prepared before (arguments,
/// filter, Landlock rules, open files) and the child only walks through a plan. What fails
/// there comes back over a pipe that closes itself on exec, as the step and its errno.
///
/// Whatever the sandbox's parts, a child is always tied to its parent (killed when the thread
/// that started it ends, also by SIGKILL of the server), leads a session of its own, dumps no
/// core, creates no files, and inherits no descriptor but the ones that it is given.

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "local/open_file.h"
#include "local/sandbox.h"
#include "local/system_call_filter.h"

namespace claviger::local {

struct ChildLimits {
  std::uint64_t data_bytes_max = 0;     ///< Private writable memory (RLIMIT_DATA).
  std::uint64_t address_bytes_max = 0;  ///< All mappings (RLIMIT_AS).
  std::uint64_t open_files_max = 512;
  std::uint64_t tasks_max = 512;  ///< Processes and threads of its user.
  std::int32_t nice_level = 10;   ///< 0 to 19.
};

struct ChildPlan {
  SandboxParts parts;
  /// The program, open for reading. Its number is at or above limits.open_files_max (see
  /// above_limit()), because the filter allows to execute this number only and the program
  /// must not be able to put another file there.
  int executable_file = -1;
  std::vector<std::string> arguments;    ///< With the program's name first.
  std::vector<std::string> environment;  ///< All of it: nothing is inherited.
  int working_folder = -1;
  int output_file = -1;         ///< Becomes standard output and error.
  std::vector<int> kept_files;  ///< Stay open under their numbers.
  uid_t user = 0;               ///< For SandboxPart::user.
  gid_t group = 0;
  ChildLimits limits;
  int landlock_rules = -1;
  SystemCallFilter filter;
};

/// Where a child stopped before it became the program.
enum class ChildStep : std::uint8_t {
  none,  ///< Before the fork, or the fork itself.
  parent,
  files,
  limits,
  memory,
  cpu,
  network,
  user,
  privileges,
  landlock,
  seccomp,
  execute,
};

struct LaunchFailure {
  ChildStep step = ChildStep::none;
  int error = 0;  ///< errno
};

/// The part of the sandbox that a step belongs to; nothing for the steps that every child takes.
std::expected<SandboxPart, ChildStep> part_of(ChildStep step);

/// Starts the program and waits until exec succeeded or failed: milliseconds, at most
/// launch_seconds_max. Call it on a thread that lives as long as the child may.
std::expected<pid_t, LaunchFailure> launch(const ChildPlan& plan);

/// Applies the parts in a child that then ends, without executing anything.
std::expected<void, LaunchFailure> try_parts(const ChildPlan& plan);

inline constexpr int launch_seconds_max = 10;

/// The same file under a number of at least `open_files_max`; closed where the server's own
/// limit of open files leaves no room, errno says so.
OpenFile above_limit(const OpenFile& file, std::uint64_t open_files_max);

/// True where user namespaces have to be used because we are not root.
bool needs_user_namespace();

}  // namespace claviger::local
