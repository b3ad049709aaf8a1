#include "local/runner_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include "local/child_process.h"
#include "local/health_probe.h"
#include "local/landlock_rules.h"

namespace claviger::local {
namespace {

using route::RunnerError;
using route::RunnerFailure;
using Failure = std::unexpected<RunnerFailure>;

constexpr std::size_t token_bytes = 32;
/// Beside the estimate: allocators keep what they were given, and an estimate is one. The
/// limit is there for a runner that runs away, not for one that is a little larger.
constexpr std::int64_t data_slack_bytes = 1ll << 30;
/// Reserved but not used: thread stacks, allocator arenas, guard pages.
constexpr std::int64_t address_slack_bytes = 8ll << 30;

Failure fail(RunnerError error, std::string message) {
  return Failure(RunnerFailure{error, std::move(message)});
}

/// An open file of the model and the name under which the runner sees it.
struct GivenFile {
  OpenFile file;
  std::string name;
};

struct RunnerUser {
  bool is_own = false;  ///< SandboxPart::user is in force.
  uid_t user = 0;
};

RunnerUser user_for(const RunnerStart& start) {
  RunnerUser own;
  own.is_own = start.sandbox.in_force().has(SandboxPart::user);
  const auto owner = static_cast<std::uint64_t>(start.model.owner.value);
  own.user = start.users.first + static_cast<std::uint32_t>(owner % start.users.count);
  return own;
}

std::expected<GivenFile, RunnerFailure> open_for_runner(const std::filesystem::path& path,
                                                        std::string name, const RunnerUser& user) {
  GivenFile given{above_standard(OpenFile(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY))),
                  std::move(name)};
  struct stat about{};
  if (!given.file.is_open() || ::fstat(given.file.number(), &about) != 0) {
    return fail(RunnerError::model_missing,
                fmt::format("The model file {} cannot be opened: {}. Put it back, or remove the "
                            "model and add it from its new place.",
                            path.string(), std::strerror(errno)));
  }
  const bool is_readable = (about.st_mode & S_IROTH) != 0 || about.st_uid == user.user;
  if (user.is_own && !is_readable) {
    return fail(RunnerError::model_missing,
                fmt::format("The model file {} may be read by its owner only, and its runner has "
                            "a user of its own ({}): chmod o+r {}. The folder around it may stay "
                            "closed.",
                            path.string(), user.user, path.string()));
  }
  return given;
}

std::expected<std::vector<GivenFile>, RunnerFailure> open_files(const RunnerStart& start,
                                                                const RunnerUser& user) {
  const LocalModelOptions& options = start.model.options;
  const RunnerFiles names = runner_files(start.model);
  std::vector<std::pair<std::filesystem::path, std::string>> wanted;
  wanted.emplace_back(start.model.path, names.model);
  for (std::size_t i = 0; i < options.split_files.size(); ++i) {
    wanted.emplace_back(options.split_files[i], names.split_files[i]);
  }
  for (std::size_t i = 0; i < options.lora_files.size(); ++i) {
    wanted.emplace_back(options.lora_files[i], names.lora_files[i]);
  }
  if (!names.projector.empty()) wanted.emplace_back(options.projector_file, names.projector);
  if (!names.chat_template.empty()) {
    wanted.emplace_back(options.chat_template_file, names.chat_template);
  }
  std::vector<GivenFile> files;
  for (auto& [path, name] : wanted) {
    auto given = open_for_runner(path, std::move(name), user);
    if (!given) return Failure(std::move(given.error()));
    files.push_back(std::move(*given));
  }
  return files;
}

Failure folder_failure(const std::filesystem::path& path, std::string_view what, int error) {
  return fail(RunnerError::start_failed,
              fmt::format("The runner's folder {} cannot be {}: {}. Check the disk and the "
                          "permissions of the home folder.",
                          path.string(), what, std::strerror(error)));
}

/// Random, as hexadecimal digits: it travels in an HTTP header.
std::shared_ptr<const Secret> new_token() {
  std::array<unsigned char, token_bytes> random{};
  std::size_t got = 0;
  while (got < random.size()) {
    const ssize_t more = ::getrandom(random.data() + got, random.size() - got, 0);
    if (more > 0) got += static_cast<std::size_t>(more);
  }
  Secret token = Secret::of_size(2 * token_bytes);
  constexpr std::string_view digits = "0123456789abcdef";
  for (std::size_t i = 0; i < random.size(); ++i) {
    token.writable()[2 * i] = static_cast<unsigned char>(digits[random[i] >> 4]);
    token.writable()[2 * i + 1] = static_cast<unsigned char>(digits[random[i] & 15]);
  }
  wipe(random.data(), random.size());
  return std::make_shared<const Secret>(std::move(token));
}

/// 0, or errno.
int write_token(int folder, const Secret& token, const RunnerUser& user) {
  const OpenFile file(::openat(folder, RunnerFiles::token,
                               O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.is_open()) return errno;
  const std::string_view text = token.reveal();
  if (::write(file.number(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return errno == 0 ? ENOSPC : errno;
  }
  if (user.is_own && ::fchown(file.number(), user.user, user.user) != 0) return errno;
  return 0;
}

/// Makes the folder with token and links, and opens it.
std::expected<OpenFile, RunnerFailure> furnish(const std::filesystem::path& path,
                                               const std::vector<GivenFile>& files,
                                               const Secret& token, const RunnerUser& user) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (::mkdir(path.c_str(), 0700) != 0) return folder_failure(path, "made", errno);
  OpenFile folder = above_standard(
      OpenFile(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)));
  if (!folder.is_open()) return folder_failure(path, "opened", errno);
  if (const int problem = write_token(folder.number(), token, user); problem != 0) {
    return folder_failure(path, "filled", problem);
  }
  for (const GivenFile& given : files) {
    const std::string target = fmt::format("/proc/self/fd/{}", given.file.number());
    if (::symlinkat(target.c_str(), folder.number(), given.name.c_str()) != 0) {
      return folder_failure(path, "filled", errno);
    }
  }
  if (user.is_own && ::fchown(folder.number(), user.user, user.user) != 0) {
    return folder_failure(path, "handed to the runner's user", errno);
  }
  return folder;
}

/// The program, open under a number that the filter can allow for it alone.
std::expected<OpenFile, RunnerFailure> open_program(const std::filesystem::path& path,
                                                    const RunnerUser& user,
                                                    const ChildLimits& limits) {
  const OpenFile file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat about{};
  if (!file.is_open() || ::fstat(file.number(), &about) != 0) {
    return fail(RunnerError::no_runner, fmt::format("The runner {} cannot be opened: {}.",
                                                    path.string(), std::strerror(errno)));
  }
  std::array<char, 2> start{};
  if (::pread(file.number(), start.data(), start.size(), 0) == 2 && start[0] == '#' &&
      start[1] == '!') {
    return fail(RunnerError::no_runner,
                fmt::format("The runner {} is a script, and a runner may start no further "
                            "program: name the llama-server that it calls with "
                            "local.runner_path.",
                            path.string()));
  }
  if (user.is_own && (about.st_mode & S_IXOTH) == 0 && about.st_uid != user.user) {
    return fail(RunnerError::no_runner,
                fmt::format("The runner {} may not be executed by others, and runners have "
                            "users of their own: chmod o+rx {}.",
                            path.string(), path.string()));
  }
  OpenFile high = above_limit(file, limits.open_files_max);
  if (!high.is_open()) {
    return fail(RunnerError::start_failed,
                fmt::format("The limit of open files leaves no room for a runner ({}): raise it "
                            "above {} (ulimit -n, LimitNOFILE=).",
                            std::strerror(errno), limits.open_files_max * 2));
  }
  return high;
}

ChildLimits limits_for(const RunnerStart& start) {
  const MemoryNeed& need = start.need;
  ChildLimits limits;
  // Weights twice: llama.cpp may repack mapped weights into memory of its own.
  const std::int64_t data = need.total_bytes() + data_slack_bytes;
  const std::int64_t address = data + need.weight_bytes + address_slack_bytes;
  limits.data_bytes_max = static_cast<std::uint64_t>(data);
  limits.address_bytes_max = static_cast<std::uint64_t>(address);
  limits.nice_level = start.tuning.nice_level;
  return limits;
}

RunnerFailure explain(const LaunchFailure& failure, const std::filesystem::path& program) {
  const std::string_view reason = std::strerror(failure.error);
  if (const auto part = part_of(failure.step)) {
    return {RunnerError::no_sandbox,
            fmt::format("The part \"{}\" of the sandbox could not be put in force: {}. It was "
                        "there when claviger started; see claviger doctor. To do without it, "
                        "set local.sandbox_allow_missing = [\"{}\"] or local.sandbox = \"off\" in "
                        "claviger.toml, and restart.",
                        name_of(*part), reason, name_of(*part))};
  }
  if (failure.step == ChildStep::execute) {
    return {RunnerError::no_runner,
            fmt::format("The runner {} cannot be executed: {}. Install or build llama-server for "
                        "this machine.",
                        program.string(), reason)};
  }
  return {RunnerError::start_failed, fmt::format("The runner could not be started: {} (step {}).",
                                                 reason, static_cast<int>(failure.step))};
}

}  // namespace

std::expected<RunnerProcess, RunnerFailure> RunnerProcess::start(const RunnerStart& start) {
  RunnerProcess runner;
  runner.socket_path_ = (start.folder / RunnerFiles::socket).string();
  if (runner.socket_path_.size() > socket_path_bytes_max) {
    return fail(
        RunnerError::start_failed,
        fmt::format("The runner's socket {} has a path of {} bytes, and Unix sockets "
                    "allow {}: choose a home folder with a shorter path (--home).",
                    runner.socket_path_, runner.socket_path_.size(), socket_path_bytes_max));
  }
  const RunnerUser user = user_for(start);
  const auto files = open_files(start, user);
  if (!files) return Failure(files.error());
  ChildPlan plan;
  plan.limits = limits_for(start);
  const auto program = open_program(start.program, user, plan.limits);
  if (!program) return Failure(program.error());

  runner.token_ = new_token();
  const auto folder = furnish(start.folder, *files, *runner.token_, user);
  runner.folder_.path = start.folder;
  if (!folder) return Failure(folder.error());

  for (const GivenFile& given : *files) plan.kept_files.push_back(given.file.number());
  plan.parts = start.sandbox.in_force();
  plan.executable_file = program->number();
  plan.arguments = runner_arguments(start.model, start.tuning);
  plan.environment = runner_environment();
  plan.working_folder = folder->number();
  plan.user = user.user;
  plan.group = user.user;
  OpenFile rules;
  if (plan.parts.has(SandboxPart::landlock)) {
    auto made =
        make_landlock_rules({program->number(), start.program, plan.kept_files, folder->number()});
    if (!made) return Failure(explain({ChildStep::landlock, made.error()}, start.program));
    rules = std::move(*made);
    plan.landlock_rules = rules.number();
  }
  if (plan.parts.has(SandboxPart::seccomp)) {
    auto filter = compile_system_call_filter(plan.executable_file);
    if (!filter) return Failure(explain({ChildStep::seccomp, ENOSYS}, start.program));
    plan.filter = std::move(*filter);
  }
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    return Failure(explain({ChildStep::none, errno}, start.program));
  }
  runner.output_ = OpenFile(ends[0]);
  const OpenFile write_end = above_standard(OpenFile(ends[1]));
  plan.output_file = write_end.number();

  const auto process = launch(plan);
  if (!process) return Failure(explain(process.error(), start.program));
  runner.process_ = *process;
  runner.end_ = OpenFile(static_cast<int>(::syscall(SYS_pidfd_open, *process, 0)));
  return runner;
}

RunnerProcess::Folder::~Folder() {
  std::error_code error;
  if (!path.empty()) std::filesystem::remove_all(path, error);
}

RunnerProcess::~RunnerProcess() {
  if (process_ < 0) return;
  send_signal(SIGKILL);
  while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void RunnerProcess::send_signal(int signal) const {
  if (process_ > 0) ::kill(-process_, signal);
}

std::string RunnerProcess::take_end() {
  if (process_ < 0) return {};
  int status = 0;
  const pid_t ended = ::waitpid(process_, &status, WNOHANG);
  if (ended == 0 || (ended < 0 && errno == EINTR)) return {};
  process_ = -1;
  if (ended < 0) return "an unknown end";
  if (WIFSIGNALED(status)) {
    return fmt::format("signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  }
  return fmt::format("status {}", WEXITSTATUS(status));
}

}  // namespace claviger::local
