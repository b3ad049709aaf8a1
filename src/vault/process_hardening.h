#pragma once

/// Keeps keys out of core files and out of the reach of other programs of the same user.
///
/// Two measures, because neither suffices. RLIMIT_CORE 0 does not hold where the kernel pipes
/// core dumps to a program such as systemd-coredump (core(5), "Piping core dumps to a program").
/// PR_SET_DUMPABLE 0 does, and it also stops a debugger of the same user and closes
/// /proc/PID/mem to it (prctl(2), ptrace(2)); but a later execve() or a change of user resets
/// it, while the resource limit is inherited.
///
/// What follows from it: files under /proc/self belong to root, so a process that is not root
/// and is to write /proc/self/uid_map (a sandbox in a user namespace) first has to set
/// PR_SET_DUMPABLE back to 1 in the forked child. That gives nothing away: the arena for secrets
/// is wiped in a forked child.

#include <cstdint>
#include <string>
#include <vector>

namespace claviger::vault {

enum class HardeningState : std::uint8_t { in_force, failed };

struct HardeningMeasure {
  std::string name;  ///< For `doctor`, e.g. "no core dumps".
  HardeningState state = HardeningState::failed;
  std::string detail;  ///< What it does or, where it failed, why and what to do.
};

/// To be called once at start, before any key is read. Goes on after a failure: whether that
/// matters is for the operator to say. Threads: before others are started.
std::vector<HardeningMeasure> harden_process();

/// What is in force now, changing nothing.
std::vector<HardeningMeasure> inspect_hardening();

}  // namespace claviger::vault
