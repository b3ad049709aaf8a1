#pragma once

/// What a runner may not do, and what this machine can enforce of it.
///
/// A runner parses a stranger's file with a large C++ program and sees every prompt of its
/// owner. If the file takes it over, it must not reach the network, other owners' files or the
/// server. Several parts overlap on purpose: each alone has been wrong in some kernel.
///
/// The policy fails closed. Each part that the machine lacks stops the runner from being
/// started until the operator either sets `local.sandbox = "off"`, which drops every part, or
/// names the part in `local.sandbox_allow_missing`, which drops that one and keeps the others.
/// There is no "as good as it gets": a container that loses a capability must not silently
/// lose a wall.

#include <array>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace claviger::local {

enum class SandboxPart : std::uint8_t {
  user,        ///< A user and group of its own, where we may switch to one (root).
  network,     ///< A network namespace without any interface but a loopback that is down.
  privileges,  ///< No new privileges, no capabilities.
  seccomp,     ///< Only the system calls that a runner needs.
  landlock,    ///< Only the files that a runner needs.
  memory,      ///< Bounded memory.
  cpu,         ///< Lower priority than the server, bounded threads.
};

inline constexpr std::array sandbox_parts = {
    SandboxPart::user,     SandboxPart::network, SandboxPart::privileges, SandboxPart::seccomp,
    SandboxPart::landlock, SandboxPart::memory,  SandboxPart::cpu,
};

/// The name used in claviger.toml, in messages and by `doctor`: "user", "network", …
std::string_view name_of(SandboxPart part);

/// A set of parts.
class SandboxParts {
 public:
  constexpr SandboxParts() = default;
  constexpr static SandboxParts all() {
    SandboxParts parts;
    for (const SandboxPart part : sandbox_parts) parts.add(part);
    return parts;
  }
  constexpr static SandboxParts only(SandboxPart part) {
    SandboxParts parts;
    parts.add(part);
    return parts;
  }
  constexpr void add(SandboxPart part) { bits_ |= bit(part); }
  constexpr void remove(SandboxPart part) { bits_ &= ~bit(part); }
  constexpr bool has(SandboxPart part) const { return (bits_ & bit(part)) != 0; }
  constexpr bool is_empty() const { return bits_ == 0; }
  friend constexpr bool operator==(SandboxParts, SandboxParts) = default;

 private:
  static constexpr std::uint32_t bit(SandboxPart part) {
    return 1u << static_cast<std::uint32_t>(part);
  }
  std::uint32_t bits_ = 0;
};

enum class SandboxMode : std::uint8_t {
  on,   ///< Every part, but those that may be missing.
  off,  ///< None: the operator trusts every model file.
};

struct SandboxPolicy {
  SandboxMode mode = SandboxMode::on;
  /// Parts that the operator allows to be missing. They are used where the machine has them.
  SandboxParts allowed_missing;
};

/// From `local.sandbox` ("on" or "off") and `local.sandbox_allow_missing` (names of parts).
/// The error says which value is wrong and which are possible.
std::expected<SandboxPolicy, std::string> parse_sandbox_policy(
    std::string_view mode, std::span<const std::string> allow_missing);

/// Which users runners get when the server is root: `first` + owner id modulo `count`, so that
/// the runners of two owners do not share one. The default range is free in systemd's table
/// (60578…61183: https://github.com/systemd/systemd/blob/main/docs/UIDS-GIDS.md, read
/// 2026-11-23) and on Debian, and small enough for a container that maps 65,536 users.
struct RunnerUsers {
  std::uint32_t first = 60'600;
  std::uint32_t count = 500;
};

enum class PartState : std::uint8_t {
  in_force,
  not_needed,       ///< Does not apply here, and nothing is lost by it.
  missing,          ///< The machine lacks it, and that stops runners.
  allowed_missing,  ///< The machine lacks it, and the operator lives with that.
  off,              ///< The operator switched the sandbox off.
};
std::string_view name_of(PartState state);

struct PartReport {
  SandboxPart part = SandboxPart::user;
  PartState state = PartState::missing;
  /// How it is enforced, or why it is missing and what would bring it: a sentence.
  std::string detail;
};

struct SandboxReport {
  std::vector<PartReport> parts;  ///< Each part once, in the order of sandbox_parts.

  /// Nothing stops runners.
  bool is_sufficient() const;
  /// Parts to apply to a runner.
  SandboxParts in_force() const;
  /// What is missing and what to do, for RunnerError::no_sandbox; empty where sufficient.
  std::string refusal() const;
};

/// Tries each part in a short-lived child of its own, so that the answer is what the kernel
/// does and not what its version promises. Takes a few milliseconds and forks; for start-up
/// and `doctor`, not for a request. Threads: any.
SandboxReport sandbox_report(const SandboxPolicy& policy, RunnerUsers users = {});

}  // namespace claviger::local
