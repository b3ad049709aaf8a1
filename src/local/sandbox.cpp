#include "local/sandbox.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "local/child_process.h"
#include "local/landlock_rules.h"
#include "local/system_call_filter.h"

namespace claviger::local {
namespace {

/// Far above any descriptor of the probing child; it executes nothing.
constexpr int probe_executable_number = 4'096;
constexpr std::uint64_t probe_bytes_max = 1ull << 40;

std::string in_force_detail(SandboxPart part, RunnerUsers users) {
  switch (part) {
    case SandboxPart::user:
      return fmt::format("runners get users {} to {}, one per owner", users.first,
                         users.first + users.count - 1);
    case SandboxPart::network:
      return needs_user_namespace() ? "a network namespace without interfaces, inside a user "
                                      "namespace"
                                    : "a network namespace without interfaces";
    case SandboxPart::privileges:
      return "no new privileges, no capabilities";
    case SandboxPart::seccomp:
      return "only the system calls that a runner needs";
    case SandboxPart::landlock:
      return fmt::format("only the files that a runner needs (Landlock interface {})",
                         landlock_version().version);
    case SandboxPart::memory:
      return "bounded memory (RLIMIT_DATA, RLIMIT_AS)";
    case SandboxPart::cpu:
      return "lower priority than the server, bounded threads";
  }
  return {};
}

std::string missing_detail(SandboxPart part, int error) {
  const std::string_view reason = std::strerror(error);
  switch (part) {
    case SandboxPart::user:
      return fmt::format(
          "this process is root but may not switch user ({}): give it "
          "CAP_SETUID and CAP_SETGID, or run claviger as an ordinary user",
          reason);
    case SandboxPart::network:
      if (needs_user_namespace()) {
        return fmt::format(
            "user namespaces are closed to ordinary users ({}): set sysctl "
            "kernel.unprivileged_userns_clone=1 (Debian) or "
            "kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), or run "
            "claviger as root",
            reason);
      }
      return fmt::format(
          "no network namespace can be made ({}): give this container "
          "CAP_SYS_ADMIN, or run claviger outside of it",
          reason);
    case SandboxPart::landlock:
      if (error == ENOSYS) {
        return "this kernel has no Landlock: Linux 5.13 or newer has, built with "
               "CONFIG_SECURITY_LANDLOCK";
      }
      if (error == EOPNOTSUPP) {
        return "Landlock is switched off: add landlock to lsm= on the kernel's command line";
      }
      return fmt::format("Landlock refuses its rules ({})", reason);
    case SandboxPart::seccomp:
      return fmt::format(
          "system call filters are refused ({}): the kernel needs "
          "CONFIG_SECCOMP_FILTER",
          reason);
    case SandboxPart::privileges:
    case SandboxPart::memory:
    case SandboxPart::cpu:
      break;
  }
  return fmt::format("the kernel refuses it ({})", reason);
}

/// 0, or the errno that says why the part is missing.
int try_part(SandboxPart part, RunnerUsers users) {
  ChildPlan plan;
  plan.parts.add(part);
  plan.user = users.first;
  plan.group = users.first;
  plan.limits.data_bytes_max = probe_bytes_max;
  plan.limits.address_bytes_max = probe_bytes_max;
  OpenFile rules;
  if (part == SandboxPart::landlock) {
    auto made = make_landlock_rules({});
    if (!made) return made.error();
    rules = std::move(*made);
    plan.landlock_rules = rules.number();
  }
  if (part == SandboxPart::seccomp) {
    auto filter = compile_system_call_filter(probe_executable_number);
    if (!filter) return ENOSYS;
    plan.filter = std::move(*filter);
  }
  const auto tried = try_parts(plan);
  if (tried) return 0;
  return tried.error().error == 0 ? EIO : tried.error().error;
}

PartReport report_on(SandboxPart part, const SandboxPolicy& policy, RunnerUsers users) {
  PartReport report;
  report.part = part;
  if (policy.mode == SandboxMode::off) {
    report.state = PartState::off;
    report.detail = "local.sandbox = \"off\"";
    return report;
  }
  if (part == SandboxPart::user && needs_user_namespace()) {
    report.state = PartState::not_needed;
    report.detail = fmt::format(
        "claviger runs as user {}, which may not switch to another; "
        "runners keep it inside a user namespace",
        ::geteuid());
    return report;
  }
  const int error = try_part(part, users);
  if (error == 0) {
    report.state = PartState::in_force;
    report.detail = in_force_detail(part, users);
    return report;
  }
  report.state = policy.allowed_missing.has(part) ? PartState::allowed_missing : PartState::missing;
  report.detail = missing_detail(part, error);
  return report;
}

std::string names_of_all_parts() {
  std::string names;
  for (const SandboxPart part : sandbox_parts) {
    if (!names.empty()) names += ", ";
    names += name_of(part);
  }
  return names;
}

}  // namespace

std::string_view name_of(SandboxPart part) {
  switch (part) {
    case SandboxPart::user:
      return "user";
    case SandboxPart::network:
      return "network";
    case SandboxPart::privileges:
      return "privileges";
    case SandboxPart::seccomp:
      return "seccomp";
    case SandboxPart::landlock:
      return "landlock";
    case SandboxPart::memory:
      return "memory";
    case SandboxPart::cpu:
      return "cpu";
  }
  return "unknown";
}

std::string_view name_of(PartState state) {
  switch (state) {
    case PartState::in_force:
      return "in force";
    case PartState::not_needed:
      return "not needed";
    case PartState::missing:
      return "missing";
    case PartState::allowed_missing:
      return "missing, allowed";
    case PartState::off:
      return "off";
  }
  return "unknown";
}

std::expected<SandboxPolicy, std::string> parse_sandbox_policy(
    std::string_view mode, std::span<const std::string> allow_missing) {
  SandboxPolicy policy;
  if (mode == "off") {
    policy.mode = SandboxMode::off;
  } else if (mode != "on") {
    return std::unexpected(fmt::format("local.sandbox is \"{}\"; write \"on\" or \"off\"", mode));
  }
  for (const std::string& name : allow_missing) {
    const auto part =
        std::ranges::find(sandbox_parts, name, [](SandboxPart each) { return name_of(each); });
    if (part == sandbox_parts.end()) {
      return std::unexpected(
          fmt::format("local.sandbox_allow_missing names \"{}\"; the parts "
                      "are {}",
                      name, names_of_all_parts()));
    }
    policy.allowed_missing.add(*part);
  }
  return policy;
}

bool SandboxReport::is_sufficient() const {
  return std::ranges::none_of(
      parts, [](const PartReport& report) { return report.state == PartState::missing; });
}

SandboxParts SandboxReport::in_force() const {
  SandboxParts all;
  for (const PartReport& report : parts) {
    if (report.state == PartState::in_force) all.add(report.part);
  }
  return all;
}

std::string SandboxReport::refusal() const {
  std::string reasons;
  std::string names;
  for (const PartReport& report : parts) {
    if (report.state != PartState::missing) continue;
    reasons +=
        fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", name_of(report.part), report.detail);
    names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", name_of(report.part));
  }
  if (reasons.empty()) return {};
  return fmt::format(
      "the sandbox for own models is incomplete on this machine, so none is run. Missing: {}. "
      "Repair that, or keep the other parts with local.sandbox_allow_missing = [{}] in "
      "claviger.toml, or do without any with local.sandbox = \"off\"; see claviger doctor.",
      reasons, names);
}

SandboxReport sandbox_report(const SandboxPolicy& policy, RunnerUsers users) {
  SandboxReport report;
  for (const SandboxPart part : sandbox_parts) {
    report.parts.push_back(report_on(part, policy, users));
  }
  return report;
}

}  // namespace claviger::local
