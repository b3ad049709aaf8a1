#include "local/sandbox.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "local/child_process.h"
#include "local/landlock_rules.h"
#include "local/system_call_filter.h"

namespace claviger::local {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t mebibyte = 1u << 20;

/// A house with a model in it, a secret beside it, and a program that was let in.
class Sandbox : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/claviger_sandbox_XXXXXX";
    folder_ = ::mkdtemp(name);
    ::chmod(folder_.c_str(), 0755);
    run_ = folder_ / "run";
    std::filesystem::create_directory(run_);
    std::ofstream(folder_ / "secret") << "do not read";
    ::chmod((folder_ / "secret").c_str(), 0644);
    std::ofstream(folder_ / "model.gguf") << "GGUF";
    ::chmod((folder_ / "model.gguf").c_str(), 0644);
    std::ofstream(run_ / "token") << "token";
    model_ = OpenFile(::open((folder_ / "model.gguf").c_str(), O_RDONLY | O_CLOEXEC));
    std::filesystem::create_symlink("/proc/self/fd/" + std::to_string(model_.number()),
                                    run_ / "model.gguf");
    // A file of the server's own that forgot O_CLOEXEC.
    server_file_ = OpenFile(::open((folder_ / "secret").c_str(), O_RDONLY));
    listen_everywhere();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// What the program met when only `parts` confine it.
  std::map<std::string, std::string> met(SandboxParts parts) {
    const auto child = start(parts, {});
    std::map<std::string, std::string> answers;
    std::istringstream lines(read_all(child.output));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string name;
      words >> name >> answers[name];
      if (answers[name].empty()) answers.erase(name);
    }
    int status = 0;
    ::waitpid(child.process, &status, 0);
    EXPECT_FALSE(WIFSIGNALED(status)) << "signal " << WTERMSIG(status);
    return answers;
  }

  struct Started {
    pid_t process = 0;
    OpenFile output;
  };
  Started start(SandboxParts parts, std::vector<std::string> more) {
    ChildPlan plan;
    plan.parts = parts;
    plan.limits = {256 * mebibyte, 1024 * mebibyte, 256, 64, 10};
    const std::filesystem::path program = CLAVIGER_SANDBOX_PROBE;
    const OpenFile executable(::open(program.c_str(), O_RDONLY | O_CLOEXEC));
    const OpenFile runnable = above_limit(executable, plan.limits.open_files_max);
    const OpenFile working(::open(run_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    Started started;
    started.output = OpenFile(ends[0]);
    const OpenFile write_end(ends[1]);
    plan.executable_file = runnable.number();
    plan.working_folder = working.number();
    plan.output_file = write_end.number();
    plan.kept_files = {model_.number()};
    plan.user = RunnerUsers{}.first;
    plan.group = plan.user;
    if (parts.has(SandboxPart::user) && ::geteuid() == 0) {
      EXPECT_EQ(::chown(run_.c_str(), plan.user, plan.group), 0);
      EXPECT_EQ(::chown((run_ / "token").c_str(), plan.user, plan.group), 0);
    }
    plan.filter = compile_system_call_filter(plan.executable_file).value();
    const std::vector<int> readable = {model_.number()};
    auto rules = make_landlock_rules({runnable.number(), program, readable, working.number()});
    if (rules) plan.landlock_rules = rules->number();
    plan.arguments = {"probe",
                      "port=" + std::to_string(port_),
                      "socket=" + (folder_ / "foreign.sock").string(),
                      "outside=" + (folder_ / "secret").string(),
                      "server=" + std::to_string(::getpid()),
                      "loader=" + program_loader(runnable.number()).string(),
                      "memory=" + std::to_string(300 * mebibyte),
                      "threads=100",
                      "was_root=" + std::to_string(::geteuid() == 0 ? 1 : 0)};
    plan.arguments.insert(plan.arguments.end(), more.begin(), more.end());
    const auto process = launch(plan);
    EXPECT_TRUE(process) << "step " << static_cast<int>(process.error().step) << ": "
                         << std::strerror(process.error().error);
    started.process = process.value_or(-1);
    return started;
  }

  static std::string read_all(const OpenFile& file) {
    std::string all;
    char some[4096];
    for (ssize_t got = 0; (got = ::read(file.number(), some, sizeof some)) > 0;) {
      all.append(some, static_cast<std::size_t>(got));
    }
    return all;
  }

  static void read_until(const OpenFile& file, std::string_view word) {
    std::string seen;
    char some[4096];
    while (seen.find(word) == std::string::npos) {
      const ssize_t got = ::read(file.number(), some, sizeof some);
      ASSERT_GT(got, 0) << seen;
      seen.append(some, static_cast<std::size_t>(got));
    }
  }

  /// The machine's word on `part`; the test is skipped with it where the part is missing.
  static bool is_missing(SandboxPart part) {
    for (const PartReport& report : sandbox_report({}).parts) {
      if (report.part != part) continue;
      if (report.state == PartState::in_force) return false;
      std::printf("skipped: %s: %s\n", std::string(name_of(part)).c_str(), report.detail.c_str());
    }
    return true;
  }

  std::filesystem::path folder_;
  std::filesystem::path run_;

 private:
  void listen_everywhere() {
    tcp_ = OpenFile(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof address;
    ASSERT_EQ(::bind(tcp_.number(), reinterpret_cast<sockaddr*>(&address), bytes), 0);
    ASSERT_EQ(::listen(tcp_.number(), 8), 0);
    ::getsockname(tcp_.number(), reinterpret_cast<sockaddr*>(&address), &bytes);
    port_ = ntohs(address.sin_port);

    unix_ = OpenFile(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un path{};
    path.sun_family = AF_UNIX;
    std::strncpy(path.sun_path, (folder_ / "foreign.sock").c_str(), sizeof path.sun_path - 1);
    ASSERT_EQ(::bind(unix_.number(), reinterpret_cast<sockaddr*>(&path), sizeof path), 0);
    ASSERT_EQ(::listen(unix_.number(), 8), 0);
    ::chmod(path.sun_path, 0777);
  }

  OpenFile model_;
  OpenFile server_file_;
  OpenFile tcp_;
  OpenFile unix_;
  int port_ = 0;
};

TEST_F(Sandbox, WithoutAnyPartTheProgramCanDoAllThatItTries) {
  auto met = this->met({});

  EXPECT_EQ(met["tcp_connect"], "done");
  EXPECT_EQ(met["foreign_unix_connect"], "done");
  EXPECT_EQ(met["read_outside"], "done");
  EXPECT_EQ(met["fork"], "done");
  EXPECT_EQ(met["much_memory"], "done");
  EXPECT_EQ(met["many_threads"], "done");
  EXPECT_EQ(met["signal_server"], "done");
}

TEST_F(Sandbox, AlwaysInheritsNothingAndLeavesNoCoreAndNoFile) {
  ::setenv("CLAVIGER_TEST_PLANTED", "1", 1);
  auto met = this->met({});
  ::unsetenv("CLAVIGER_TEST_PLANTED");

  EXPECT_NE(met["environment"], "done");
  EXPECT_EQ(met["open_files"], "4") << "standard input, output, error and the model";
  EXPECT_EQ(met["core_bytes"], "0");
  EXPECT_EQ(met["read_model"], "done");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "secret.new") &&
               std::filesystem::file_size(folder_ / "secret.new") > 0);
}

TEST_F(Sandbox, OwnUserReadsNobodyElsesFiles) {
  if (is_missing(SandboxPart::user)) GTEST_SKIP();
  auto met = this->met(SandboxParts::only(SandboxPart::user));

  EXPECT_EQ(met["user"], std::to_string(RunnerUsers{}.first));
  EXPECT_EQ(met["read_shadow"], "EACCES");
  EXPECT_EQ(met["write_outside"], "EACCES");
  EXPECT_EQ(met["write_model"], "EACCES");
  EXPECT_EQ(met["signal_server"], "EPERM");
  EXPECT_EQ(met["server_memory"], "EACCES");
  EXPECT_EQ(met["setuid_root"], "EPERM");
  EXPECT_EQ(met["read_model"], "done");
  EXPECT_EQ(met["read_own_folder"], "done");
  EXPECT_EQ(met["own_socket"], "done");
}

TEST_F(Sandbox, OwnNetworkReachesNothing) {
  if (is_missing(SandboxPart::network)) GTEST_SKIP();
  auto met = this->met(SandboxParts::only(SandboxPart::network));

  EXPECT_EQ(met["tcp_connect"], "ENETUNREACH");
  EXPECT_EQ(met["own_socket"], "done");
}

TEST_F(Sandbox, PrivilegesAreGoneAndCannotComeBack) {
  if (is_missing(SandboxPart::privileges)) GTEST_SKIP();
  auto met = this->met(SandboxParts::only(SandboxPart::privileges));

  EXPECT_EQ(met["CapEff"], "0000000000000000");
  EXPECT_EQ(met["NoNewPrivs"], "1");
  EXPECT_NE(met["raise_priority"], "done");
  EXPECT_NE(met["raise_files"], "done");
  if (::geteuid() == 0) {
    EXPECT_EQ(met["CapBnd"], "0000000000000000");
  }
}

TEST_F(Sandbox, SystemCallFilterAloneStopsTheUsualWaysOut) {
  if (is_missing(SandboxPart::seccomp)) GTEST_SKIP();
  auto met = this->met(SandboxParts::only(SandboxPart::seccomp));

  EXPECT_EQ(met["tcp_socket"], "EPERM");
  EXPECT_EQ(met["udp_socket"], "EPERM");
  EXPECT_EQ(met["netlink_socket"], "EPERM");
  EXPECT_EQ(met["foreign_unix_connect"], "EPERM");
  EXPECT_EQ(met["write_outside"], "EPERM");
  EXPECT_EQ(met["write_own_folder"], "EPERM");
  EXPECT_EQ(met["write_model"], "EPERM");
  EXPECT_EQ(met["ptrace_server"], "EPERM");
  EXPECT_EQ(met["signal_server"], "EPERM");
  EXPECT_EQ(met["thread_signal_server"], "EPERM");
  EXPECT_EQ(met["fork"], "EPERM");
  EXPECT_EQ(met["exec_shell"], "EPERM");
  EXPECT_EQ(met["exec_by_file"], "EPERM");
  EXPECT_EQ(met["namespace"], "EPERM");
  EXPECT_EQ(met["raise_priority"], "EPERM");
  // And what a runner needs still works.
  EXPECT_EQ(met["own_socket"], "done");
  EXPECT_EQ(met["read_model"], "done");
  EXPECT_EQ(met["thread"], "done");
  EXPECT_EQ(met["signal_self"], "done");
}

TEST_F(Sandbox, LandlockAloneClosesTheFileSystem) {
  if (is_missing(SandboxPart::landlock)) GTEST_SKIP();
  auto met = this->met(SandboxParts::only(SandboxPart::landlock));

  EXPECT_EQ(met["read_shadow"], "EACCES");
  EXPECT_EQ(met["read_passwd"], "EACCES");
  EXPECT_EQ(met["read_outside"], "EACCES");
  EXPECT_EQ(met["write_outside"], "EACCES");
  EXPECT_EQ(met["write_tmp"], "EACCES");
  EXPECT_EQ(met["write_own_folder"], "EACCES");
  EXPECT_EQ(met["write_model"], "EACCES");
  EXPECT_EQ(met["exec_shell"], "EACCES");
  EXPECT_NE(met["ptrace_server"], "done");
  EXPECT_EQ(met["read_own_folder"], "done");
  EXPECT_EQ(met["read_model"], "done");
  EXPECT_EQ(met["own_socket"], "done");
  if (landlock_version().version >= 4) {
    EXPECT_EQ(met["tcp_connect"], "EACCES");
  }
  if (landlock_version().version >= 6) {
    EXPECT_EQ(met["signal_server"], "EPERM");
  }
}

TEST_F(Sandbox, MemoryIsBoundedPrivateAndShared) {
  auto met = this->met(SandboxParts::only(SandboxPart::memory));
  EXPECT_EQ(met["much_memory"], "ENOMEM");
  EXPECT_EQ(met["much_shared_memory"], "ENOMEM");
}

TEST_F(Sandbox, YieldsToTheServerAndCannotFillTheMachineWithThreads) {
  SandboxParts parts = SandboxParts::only(SandboxPart::cpu);
  parts.add(SandboxPart::privileges);
  parts.add(SandboxPart::user);
  parts.add(SandboxPart::network);
  if (is_missing(SandboxPart::network)) GTEST_SKIP();
  auto met = this->met(parts);
  EXPECT_EQ(met["nice"], "10");
  EXPECT_EQ(met["many_threads"], "EAGAIN");
}

TEST_F(Sandbox, AllPartsTogetherStillLetARunnerRun) {
  const SandboxParts parts = sandbox_report({}).in_force();
  auto met = this->met(parts);

  for (const char* attempt : {"tcp_connect",
                              "foreign_unix_connect",
                              "read_shadow",
                              "read_outside",
                              "write_outside",
                              "write_tmp",
                              "write_own_folder",
                              "write_model",
                              "ptrace_server",
                              "signal_server",
                              "thread_signal_server",
                              "server_memory",
                              "fork",
                              "exec_shell",
                              "exec_by_file",
                              "namespace",
                              "setuid_root",
                              "raise_priority",
                              "raise_files",
                              "much_memory"}) {
    ASSERT_TRUE(met.contains(attempt)) << attempt;
    EXPECT_NE(met[attempt], "done") << attempt;
  }
  for (const char* need : {"own_socket", "read_model", "read_own_folder", "thread"}) {
    EXPECT_EQ(met[need], "done") << need;
  }
}

TEST_F(Sandbox, EndsWithTheThreadThatStartedIt) {
  Started child;
  std::thread([&] {
    child = start(sandbox_report({}).in_force(), {"stay=1"});
    read_until(child.output, "staying");
  }).join();

  read_all(child.output);  // Returns when it is gone.
  int status = 0;
  ASSERT_EQ(::waitpid(child.process, &status, 0), child.process);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST_F(Sandbox, AStepThatFailsIsNamed) {
  ChildPlan plan;
  plan.parts = SandboxParts::only(SandboxPart::landlock);
  plan.landlock_rules = -1;
  const auto tried = try_parts(plan);
  ASSERT_FALSE(tried);
  EXPECT_EQ(part_of(tried.error().step), SandboxPart::landlock);

  plan = {};
  plan.arguments = {"none"};
  plan.executable_file = 1'000'000;
  const auto launched = launch(plan);
  ASSERT_FALSE(launched);
  EXPECT_EQ(launched.error().step, ChildStep::execute);
  EXPECT_EQ(launched.error().error, EBADF);
}

TEST(SandboxPolicy, IsReadFromConfiguration) {
  const std::vector<std::string> none;
  EXPECT_EQ(parse_sandbox_policy("on", none)->mode, SandboxMode::on);
  EXPECT_EQ(parse_sandbox_policy("off", none)->mode, SandboxMode::off);
  EXPECT_EQ(parse_sandbox_policy("maybe", none).error(),
            "local.sandbox is \"maybe\"; write \"on\" or \"off\"");
  const std::vector<std::string> some = {"landlock", "network"};
  const auto policy = parse_sandbox_policy("on", some);
  EXPECT_TRUE(policy->allowed_missing.has(SandboxPart::landlock));
  EXPECT_FALSE(policy->allowed_missing.has(SandboxPart::seccomp));
  const std::vector<std::string> wrong = {"firewall"};
  EXPECT_EQ(parse_sandbox_policy("on", wrong).error(),
            "local.sandbox_allow_missing names \"firewall\"; the parts are user, network, "
            "privileges, seccomp, landlock, memory, cpu");
}

SandboxReport report_with(PartState landlock) {
  SandboxReport report;
  for (const SandboxPart part : sandbox_parts) {
    report.parts.push_back({part, PartState::in_force, ""});
  }
  report.parts[4] = {SandboxPart::landlock, landlock, "this kernel has no Landlock"};
  return report;
}

TEST(SandboxReport, APartThatIsMissingStopsRunnersAndSaysHowToGoOn) {
  const SandboxReport report = report_with(PartState::missing);
  EXPECT_FALSE(report.is_sufficient());
  EXPECT_THAT(report.refusal(), HasSubstr("landlock: this kernel has no Landlock"));
  EXPECT_THAT(report.refusal(), HasSubstr("local.sandbox = \"off\""));
  EXPECT_THAT(report.refusal(), HasSubstr("local.sandbox_allow_missing = [\"landlock\"]"));
}

TEST(SandboxReport, APartThatMayBeMissingIsDroppedAndTheOthersStay) {
  const SandboxReport report = report_with(PartState::allowed_missing);
  EXPECT_TRUE(report.is_sufficient());
  EXPECT_EQ(report.refusal(), "");
  EXPECT_FALSE(report.in_force().has(SandboxPart::landlock));
  EXPECT_TRUE(report.in_force().has(SandboxPart::seccomp));
}

TEST(SandboxReport, SaysOffWhereTheOperatorSaidOff) {
  const SandboxReport report = sandbox_report({SandboxMode::off, {}});
  EXPECT_TRUE(report.is_sufficient());
  EXPECT_TRUE(report.in_force().is_empty());
  EXPECT_EQ(report.parts.size(), sandbox_parts.size());
}

TEST(SandboxReport, AllowingAPartToBeMissingDoesNotDropItWhereItExists) {
  SandboxPolicy lenient;
  lenient.allowed_missing = SandboxParts::all();
  const SandboxReport strict_report = sandbox_report({});
  EXPECT_EQ(sandbox_report(lenient).in_force(), strict_report.in_force());
  EXPECT_TRUE(sandbox_report(lenient).is_sufficient());
  for (const PartReport& each : strict_report.parts) {
    std::printf("%-10s %-16s %s\n", std::string(name_of(each.part)).c_str(),
                std::string(name_of(each.state)).c_str(), each.detail.c_str());
  }
}

}  // namespace
}  // namespace claviger::local
