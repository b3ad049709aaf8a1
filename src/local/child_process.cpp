#include "local/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "local/open_file.h"

// The child runs between fork and exec, where a sanitizer's runtime may not be entered.
#define CLAVIGER_CHILD [[clang::no_sanitize("address", "thread", "undefined")]]

namespace claviger::local {
namespace {

/// The plan in the form in which the child needs it: pointers into what the parent keeps alive.
struct PreparedChild {
  const ChildPlan* plan = nullptr;
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  bool executes = false;
  bool makes_user_namespace = false;
  int null_file = -1;
  int report_file = -1;
  pid_t parent = 0;
  /// "1000 1000 1\n": whoever we are stays who we are in a user namespace.
  char user_map[48] = {};
  char group_map[48] = {};
  std::uint32_t user_map_bytes = 0;
  std::uint32_t group_map_bytes = 0;
};

/// struct rlimit64, which prlimit64 takes on every architecture.
struct Limit {
  std::uint64_t soft;
  std::uint64_t hard;
};

/// A raw system call: libc's wrappers may take locks, signal other threads (setresuid), or be
/// intercepted by a sanitizer.
template <typename... Arguments>
CLAVIGER_CHILD long call(long number, Arguments... arguments) {
  return ::syscall(number, arguments...);
}

CLAVIGER_CHILD [[noreturn]] void end_child(int status) {
  for (;;) call(SYS_exit_group, status);
}

CLAVIGER_CHILD [[noreturn]] void fail(const PreparedChild& child, ChildStep step) {
  const std::array<std::int32_t, 2> report = {static_cast<std::int32_t>(step), errno};
  call(SYS_write, child.report_file, report.data(), sizeof report);
  end_child(127);
}

CLAVIGER_CHILD bool set_limit(int resource, std::uint64_t most) {
  const Limit limit{most, most};
  return call(SYS_prlimit64, 0, resource, &limit, nullptr) == 0;
}

/// A session of its own: a Ctrl-C meant for the server does not reach it first, and its whole
/// group can be killed at once. Handlers of the server mean nothing here.
CLAVIGER_CHILD void leave_parent(const PreparedChild& child) {
  if (call(SYS_setsid) < 0) fail(child, ChildStep::parent);
  // The kernel's struct sigaction, all zero: default handler, no flags, empty mask.
  const std::array<std::uint64_t, 4> default_action{};
  for (int signal = 1; signal <= 64; ++signal) {
    call(SYS_rt_sigaction, signal, default_action.data(), nullptr, sizeof(std::uint64_t));
  }
  const std::uint64_t none = 0;
  call(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none);
  call(SYS_umask, 0077);
}

CLAVIGER_CHILD void arrange_files(const PreparedChild& child) {
  const ChildPlan& plan = *child.plan;
  const int output = plan.output_file >= 0 ? plan.output_file : child.null_file;
  if (call(SYS_dup3, child.null_file, STDIN_FILENO, 0) < 0 ||
      call(SYS_dup3, output, STDOUT_FILENO, 0) < 0 ||
      call(SYS_dup3, output, STDERR_FILENO, 0) < 0) {
    fail(child, ChildStep::files);
  }
  if (plan.working_folder >= 0 && call(SYS_fchdir, plan.working_folder) != 0) {
    fail(child, ChildStep::files);
  }
  // All of them close on exec, then the kept ones are taken out again.
  if (call(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) != 0) fail(child, ChildStep::files);
  for (const int file : plan.kept_files) {
    if (call(SYS_fcntl, file, F_SETFD, 0) != 0) fail(child, ChildStep::files);
  }
}

CLAVIGER_CHILD void limit_always(const PreparedChild& child) {
  if (!set_limit(RLIMIT_CORE, 0) || !set_limit(RLIMIT_FSIZE, 0) ||
      !set_limit(RLIMIT_NOFILE, child.plan->limits.open_files_max) ||
      !set_limit(RLIMIT_MSGQUEUE, 0) || !set_limit(RLIMIT_RTPRIO, 0) ||
      !set_limit(RLIMIT_NICE, 0)) {
    fail(child, ChildStep::limits);
  }
}

CLAVIGER_CHILD void limit_memory(const PreparedChild& child) {
  if (!set_limit(RLIMIT_DATA, child.plan->limits.data_bytes_max) ||
      !set_limit(RLIMIT_AS, child.plan->limits.address_bytes_max)) {
    fail(child, ChildStep::memory);
  }
}

CLAVIGER_CHILD void limit_cpu(const PreparedChild& child) {
  if (!set_limit(RLIMIT_NPROC, child.plan->limits.tasks_max) ||
      call(SYS_setpriority, PRIO_PROCESS, 0, child.plan->limits.nice_level) != 0) {
    fail(child, ChildStep::cpu);
  }
}

CLAVIGER_CHILD bool write_map(const char* path, const char* text, std::uint32_t bytes) {
  const long file = call(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
  if (file < 0) return false;
  const bool written = call(SYS_write, file, text, bytes) == static_cast<long>(bytes);
  const int error = errno;
  call(SYS_close, file);
  errno = error;
  return written;
}

CLAVIGER_CHILD void leave_network(const PreparedChild& child) {
  const long own_user = child.makes_user_namespace ? CLONE_NEWUSER : 0;
  if (call(SYS_unshare, CLONE_NEWNET | CLONE_NEWIPC | own_user) != 0) {
    fail(child, ChildStep::network);
  }
  if (own_user == 0) return;
  if (!write_map("/proc/self/setgroups", "deny", 4) ||
      !write_map("/proc/self/uid_map", child.user_map, child.user_map_bytes) ||
      !write_map("/proc/self/gid_map", child.group_map, child.group_map_bytes)) {
    fail(child, ChildStep::network);
  }
}

CLAVIGER_CHILD void drop_capability_bounds(const PreparedChild& child) {
  for (int capability = 0; capability < 64; ++capability) {
    if (call(SYS_prctl, PR_CAPBSET_DROP, capability, 0, 0, 0) == 0) continue;
    if (errno == EINVAL) return;  // Beyond the last one that this kernel knows.
    // Without CAP_SETPCAP the bound stays. No-new-privileges keeps exec from granting any.
    if (errno == EPERM) return;
    fail(child, ChildStep::privileges);
  }
}

CLAVIGER_CHILD void become_user(const PreparedChild& child) {
  const ChildPlan& plan = *child.plan;
  if (call(SYS_setgroups, 0, nullptr) != 0 ||
      call(SYS_setresgid, plan.group, plan.group, plan.group) != 0 ||
      call(SYS_setresuid, plan.user, plan.user, plan.user) != 0) {
    fail(child, ChildStep::user);
  }
}

CLAVIGER_CHILD void drop_capabilities(const PreparedChild& child) {
  call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  const std::array<__user_cap_data_struct, 2> nothing{};
  if (call(SYS_capset, &head, nothing.data()) != 0) fail(child, ChildStep::privileges);
}

/// After the last change of credentials, since such a change forgets it.
CLAVIGER_CHILD void die_with_parent(const PreparedChild& child) {
  if (call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) fail(child, ChildStep::parent);
  if (call(SYS_getppid) != child.parent) end_child(127);  // It ended before we asked.
}

CLAVIGER_CHILD void install_filter(const PreparedChild& child, const sock_filter* program,
                                   std::size_t length) {
  struct Program {
    unsigned short length;
    const sock_filter* filter;
  };
  const Program filter{static_cast<unsigned short>(length), program};
  if (call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) {
    fail(child, ChildStep::seccomp);
  }
}

CLAVIGER_CHILD void confine(const PreparedChild& child) {
  const ChildPlan& plan = *child.plan;
  const bool needs_no_new_privileges = plan.parts.has(SandboxPart::privileges) ||
                                       plan.parts.has(SandboxPart::landlock) ||
                                       plan.parts.has(SandboxPart::seccomp);
  if (needs_no_new_privileges && call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    fail(child, ChildStep::privileges);
  }
  if (plan.parts.has(SandboxPart::landlock) &&
      call(SYS_landlock_restrict_self, plan.landlock_rules, 0) != 0) {
    fail(child, ChildStep::landlock);
  }
  if (!plan.parts.has(SandboxPart::seccomp)) return;
  const auto own_signals = own_signals_filter(static_cast<std::uint32_t>(call(SYS_getpid)));
  install_filter(child, own_signals.data(), own_signals.size());
  install_filter(child, plan.filter.program.data(), plan.filter.program.size());
}

/// Everything that a child does before it is the program. The order matters: what needs
/// privileges comes before they go, and the filter comes last because it forbids the rest.
CLAVIGER_CHILD [[noreturn]] void run_child(const PreparedChild& child) {
  const ChildPlan& plan = *child.plan;
  leave_parent(child);
  arrange_files(child);
  if (plan.parts.has(SandboxPart::network)) leave_network(child);
  if (plan.parts.has(SandboxPart::privileges)) drop_capability_bounds(child);
  limit_always(child);
  if (plan.parts.has(SandboxPart::memory)) limit_memory(child);
  if (plan.parts.has(SandboxPart::cpu)) limit_cpu(child);
  if (plan.parts.has(SandboxPart::user) && !needs_user_namespace()) become_user(child);
  if (plan.parts.has(SandboxPart::privileges)) drop_capabilities(child);
  die_with_parent(child);
  confine(child);
  if (!child.executes) end_child(0);
  call(SYS_execveat, plan.executable_file, "", child.arguments, child.environment, AT_EMPTY_PATH);
  fail(child, ChildStep::execute);
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

template <std::size_t size>
std::uint32_t write_identity_map(char (&out)[size], std::uint32_t id) {
  const auto end = fmt::format_to_n(out, size, "{} {} 1\n", id, id);
  return static_cast<std::uint32_t>(end.size);
}

/// What the child reported; nothing where the pipe closed without a word, which exec does.
LaunchFailure wait_for_report(int report_file, pid_t process) {
  pollfd waiting{report_file, POLLIN, 0};
  for (;;) {
    const int ready = ::poll(&waiting, 1, launch_seconds_max * 1000);
    if (ready < 0 && errno == EINTR) continue;
    if (ready > 0) break;
    ::kill(process, SIGKILL);
    return {ChildStep::execute, ETIMEDOUT};
  }
  std::array<std::int32_t, 2> report{};
  const ssize_t got = ::read(report_file, report.data(), sizeof report);
  if (got != sizeof report) return {};
  return {static_cast<ChildStep>(report[0]), report[1]};
}

int reap(pid_t process) {
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

/// Forks with all signals blocked, so that no handler of the server runs in the child.
pid_t fork_child(const PreparedChild& child) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t process = ::fork();
  if (process == 0) run_child(child);
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return process;
}

std::expected<pid_t, LaunchFailure> start(const ChildPlan& plan, bool executes) {
  PreparedChild child;
  child.plan = &plan;
  child.executes = executes;
  child.parent = ::getpid();
  child.makes_user_namespace = needs_user_namespace();
  child.user_map_bytes = write_identity_map(child.user_map, ::geteuid());
  child.group_map_bytes = write_identity_map(child.group_map, ::getegid());
  const std::vector<char*> arguments = pointers_to(plan.arguments);
  const std::vector<char*> environment = pointers_to(plan.environment);
  child.arguments = arguments.data();
  child.environment = environment.data();

  const OpenFile null = above_standard(OpenFile(::open("/dev/null", O_RDWR | O_CLOEXEC)));
  std::array<int, 2> ends{};
  if (!null.is_open() || ::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return std::unexpected(LaunchFailure{ChildStep::none, errno});
  }
  const OpenFile report(ends[0]);
  OpenFile report_of_child = above_standard(OpenFile(ends[1]));
  child.null_file = null.number();
  child.report_file = report_of_child.number();

  const pid_t process = fork_child(child);
  if (process < 0) return std::unexpected(LaunchFailure{ChildStep::none, errno});
  report_of_child.reset();
  const LaunchFailure failure = wait_for_report(report.number(), process);
  if (failure.step == ChildStep::none) return process;
  reap(process);
  return std::unexpected(failure);
}

}  // namespace

std::expected<SandboxPart, ChildStep> part_of(ChildStep step) {
  switch (step) {
    case ChildStep::memory:
      return SandboxPart::memory;
    case ChildStep::cpu:
      return SandboxPart::cpu;
    case ChildStep::network:
      return SandboxPart::network;
    case ChildStep::user:
      return SandboxPart::user;
    case ChildStep::privileges:
      return SandboxPart::privileges;
    case ChildStep::landlock:
      return SandboxPart::landlock;
    case ChildStep::seccomp:
      return SandboxPart::seccomp;
    case ChildStep::none:
    case ChildStep::parent:
    case ChildStep::files:
    case ChildStep::limits:
    case ChildStep::execute:
      break;
  }
  return std::unexpected(step);
}

std::expected<pid_t, LaunchFailure> launch(const ChildPlan& plan) {
  return start(plan, true);
}

std::expected<void, LaunchFailure> try_parts(const ChildPlan& plan) {
  const auto process = start(plan, false);
  if (!process) return std::unexpected(process.error());
  const int status = reap(*process);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return std::unexpected(LaunchFailure{ChildStep::seccomp, EIO});
}

OpenFile above_limit(const OpenFile& file, std::uint64_t open_files_max) {
  return OpenFile(::fcntl(file.number(), F_DUPFD_CLOEXEC, static_cast<int>(open_files_max)));
}

bool needs_user_namespace() {
  return ::geteuid() != 0;
}

}  // namespace claviger::local
