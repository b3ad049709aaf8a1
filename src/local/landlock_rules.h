#pragma once

/// The files that a runner may touch, as Landlock rules.
///
/// Everything is denied, then: reading the model's files and the system's libraries, executing
/// the runner and its loader, and making sockets in its own folder. Nothing may be written.
/// Where the kernel knows how, TCP is denied as well, and signals and abstract sockets that
/// leave the sandbox.
///
/// Source: include/uapi/linux/landlock.h up to ABI 6 (Linux 6.12) and
/// https://docs.kernel.org/userspace-api/landlock.html (read 2026-11-23). Debian 12's header
/// ends at ABI 2, so later constants are written out here.

#include <cstdint>
#include <expected>
#include <filesystem>
#include <span>

#include "local/open_file.h"

namespace claviger::local {

/// 0 where the kernel has none; else the version of its interface, from 1. `error` is then
/// ENOSYS (not built) or EOPNOTSUPP (switched off at boot).
struct LandlockVersion {
  int version = 0;
  int error = 0;
};
LandlockVersion landlock_version();

struct LandlockPaths {
  int executable_file = -1;             ///< The runner, open.
  std::filesystem::path executable;     ///< The same, for the libraries beside it.
  std::span<const int> readable_files;  ///< Open; the model's.
  int socket_folder = -1;               ///< Open.
};

/// A ruleset ready for landlock_restrict_self(). The error is errno.
std::expected<OpenFile, int> make_landlock_rules(const LandlockPaths& paths);

/// The loader that an ELF program asks for; empty for a static one or for no ELF file.
std::filesystem::path program_loader(int executable_file);

}  // namespace claviger::local
