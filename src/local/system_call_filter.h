#pragma once

/// The system calls that a runner may make.
///
/// An allow-list, because a deny-list is out of date with every kernel. What is not on it
/// fails with EPERM instead of killing the runner, since libraries probe for optional calls
/// and live without them. Beyond names, arguments are narrowed where a call is half harmless:
/// sockets are Unix ones and are never connected, files are opened for reading only, threads
/// but no processes, signals to itself only, limits are read but not set.
///
/// Measured against llama-server of llama.cpp de3ff81 on x86-64 with strace, plus what glibc
/// 2.36 may use instead on another day.

#include <linux/filter.h>

#include <array>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace claviger::local {

struct SystemCallFilter {
  std::vector<sock_filter> program;
};

/// Compiles the list. `executable_file` is the one descriptor that may be executed: it must be
/// a number that the runner can never open again, that is, at or above its limit of open files.
/// The error says what libseccomp refused. Not for use between fork and exec: it allocates.
std::expected<SystemCallFilter, std::string> compile_system_call_filter(int executable_file);

/// A second filter that allows signals to `process` only. Kept apart because the process id
/// exists only after the fork, where libseccomp cannot be used; this needs no allocation.
std::array<sock_filter, 8> own_signals_filter(std::uint32_t process);

}  // namespace claviger::local
