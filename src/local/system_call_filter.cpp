#include "local/system_call_filter.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace claviger::local {
namespace {

/// Allowed whatever their arguments. Names that an architecture lacks are left out there.
constexpr const char* allowed_calls[] = {
    // Memory.
    "brk",
    "mmap",
    "munmap",
    "mprotect",
    "mremap",
    "madvise",
    "mincore",
    "mlock",
    "mlock2",
    "munlock",
    "membarrier",
    // Descriptors that are open already, and looking at files.
    "read",
    "readv",
    "pread64",
    "preadv",
    "preadv2",
    "write",
    "writev",
    "close",
    "close_range",
    "lseek",
    "fstat",
    "newfstatat",
    "stat",
    "lstat",
    "statx",
    "fstatfs",
    "statfs",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getdents64",
    "getcwd",
    "fadvise64",
    "readahead",
    "dup",
    "dup2",
    "dup3",
    "pipe",
    "pipe2",
    "eventfd2",
    // The one socket it listens on. No connect: other programs' sockets are no business of it.
    "bind",
    "listen",
    "accept",
    "accept4",
    "shutdown",
    "getsockname",
    "getpeername",
    "getsockopt",
    "setsockopt",
    "recvfrom",
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    // Threads and time.
    "futex",
    "futex_waitv",
    "set_robust_list",
    "rseq",
    "set_tid_address",
    "arch_prctl",
    "sched_yield",
    "sched_getaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "getcpu",
    "gettid",
    "getpid",
    "getppid",
    "exit",
    "exit_group",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigtimedwait",
    "sigaltstack",
    "restart_syscall",
    "nanosleep",
    "clock_nanosleep",
    "clock_gettime",
    "clock_getres",
    "gettimeofday",
    "time",
    "times",
    // Questions about itself and the machine. Signals are narrowed by own_signals_filter().
    "tgkill",
    "kill",
    "getrusage",
    "getrandom",
    "sysinfo",
    "uname",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getrlimit",
};

struct ReleaseContext {
  void operator()(void* context) const { seccomp_release(context); }
};
using Context = std::unique_ptr<void, ReleaseContext>;

/// Adds rules and remembers the first refusal, so that the list below reads as a list.
class Rules {
 public:
  explicit Rules(scmp_filter_ctx context) : context_(context) {}

  void allow(const char* name) { add(SCMP_ACT_ALLOW, name, {}); }
  void allow(const char* name, std::initializer_list<scmp_arg_cmp> only_if) {
    add(SCMP_ACT_ALLOW, name, only_if);
  }
  void fail_with(int error, const char* name) {
    add(SCMP_ACT_ERRNO(static_cast<unsigned>(error)), name, {});
  }
  const std::string& refusal() const { return refusal_; }

 private:
  void add(std::uint32_t action, const char* name, std::initializer_list<scmp_arg_cmp> only_if) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number < 0) return;  // Not a call of this architecture, or newer than libseccomp.
    const int result = seccomp_rule_add_array(
        context_, action, number, static_cast<unsigned>(only_if.size()), only_if.begin());
    if (result < 0 && refusal_.empty()) {
      refusal_ =
          fmt::format("libseccomp refused the rule for {}: {}", name, std::strerror(-result));
    }
  }

  scmp_filter_ctx context_;
  std::string refusal_;
};

/// Argument `index` is `value`.
constexpr scmp_arg_cmp equals(unsigned index, scmp_datum_t value) {
  return {index, SCMP_CMP_EQ, value, 0};
}
/// The bits `mask` of argument `index` are `value`.
constexpr scmp_arg_cmp masked(unsigned index, scmp_datum_t mask, scmp_datum_t value) {
  return {index, SCMP_CMP_MASKED_EQ, mask, value};
}

void add_narrowed_calls(Rules& rules, int executable_file) {
  // O_TMPFILE needs write access, and O_CREAT and O_TRUNC are named, so this is reading only.
  constexpr scmp_datum_t writing = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND;
  rules.allow("open", {masked(1, writing, O_RDONLY)});
  rules.allow("openat", {masked(2, writing, O_RDONLY)});

  rules.allow("socket", {equals(0, AF_UNIX)});
  rules.allow("socketpair", {equals(0, AF_UNIX)});
  // Without an address: only to whoever has connected.
  rules.allow("sendto", {equals(4, 0)});

  // No F_SETOWN and F_SETSIG, which send signals, and no leases.
  for (const scmp_datum_t command :
       {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD, F_DUPFD_CLOEXEC}) {
    rules.allow("fcntl", {equals(1, command)});
  }
  for (const scmp_datum_t request : {TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO}) {
    rules.allow("ioctl", {equals(1, request)});
  }
  for (const scmp_datum_t option : {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE}) {
    rules.allow("prctl", {equals(0, option)});
  }
  rules.allow("prlimit64", {equals(0, 0), equals(2, 0)});

  constexpr scmp_datum_t thread = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
  rules.allow("clone", {masked(0, thread, thread)});
  // Its flags lie in memory, where no filter can look. glibc falls back to clone on ENOSYS.
  rules.fail_with(ENOSYS, "clone3");

  rules.allow("execveat",
              {equals(0, static_cast<scmp_datum_t>(executable_file)), equals(4, AT_EMPTY_PATH)});
}

std::expected<std::vector<sock_filter>, std::string> exported(scmp_filter_ctx context) {
  const int file = ::memfd_create("claviger-filter", MFD_CLOEXEC);
  if (file < 0) return std::unexpected(fmt::format("memfd_create: {}", std::strerror(errno)));
  const int result = seccomp_export_bpf(context, file);
  struct stat about{};
  std::vector<sock_filter> program;
  bool complete = result == 0 && ::fstat(file, &about) == 0;
  if (complete) {
    const auto bytes = static_cast<std::size_t>(about.st_size);
    program.resize(bytes / sizeof(sock_filter));
    complete = ::pread(file, program.data(), bytes, 0) == about.st_size;
  }
  ::close(file);
  if (!complete || program.empty() || program.size() > BPF_MAXINSNS) {
    return std::unexpected(std::string("libseccomp exported no usable filter"));
  }
  return program;
}

}  // namespace

std::expected<SystemCallFilter, std::string> compile_system_call_filter(int executable_file) {
  const Context context(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (!context) return std::unexpected(std::string("libseccomp cannot be used here"));
  // Other architectures' call numbers (32-bit, x32) would pass under another meaning.
  seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  // A binary tree instead of a list of 120 comparisons on each call; newer libseccomp only.
  seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);

  Rules rules(context.get());
  for (const char* name : allowed_calls) rules.allow(name);
  add_narrowed_calls(rules, executable_file);
  if (!rules.refusal().empty()) return std::unexpected(rules.refusal());

  auto program = exported(context.get());
  if (!program) return std::unexpected(program.error());
  return SystemCallFilter{std::move(*program)};
}

std::array<sock_filter, 8> own_signals_filter(std::uint32_t process) {
  constexpr auto at = [](std::size_t offset) { return static_cast<std::uint32_t>(offset); };
  constexpr std::uint32_t call = at(offsetof(seccomp_data, nr));
  // The low half of the first argument; a process id has no high half.
  constexpr std::uint32_t low = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 4;
  constexpr std::uint32_t target = at(offsetof(seccomp_data, args)) + low;
  return {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, call),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_tgkill, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_kill, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, target),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, process, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (EPERM & SECCOMP_RET_DATA)),
  }};
}

}  // namespace claviger::local
