#include "local/runner_supervisor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <seccomp.h>
#include <spawn.h>
#include <sys/wait.h>

#include "local/supervisor_harness.h"

namespace claviger::local {
namespace {

using namespace std::chrono_literals;
using route::RunnerError;
using ::testing::AllOf;
using testing::Answer;
using testing::comes_true;
using testing::has_ended;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr OwnerId ada{1};
constexpr OwnerId bob{2};

class Supervisor : public testing::SupervisorTest {};

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_F(Supervisor, StartsARunnerOnDemandAndLetsTheNextInWithoutWaiting) {
  const LocalModel model = this->model(1, ada, "good");
  RunnerSupervisor& supervisor = start({model});
  EXPECT_TRUE(supervisor.status().empty());

  const auto first = acquire(model.id);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_THAT(ask(*first, "/v1/chat/completions").text, HasSubstr("pong"));

  // run() ends the process if this has to wait.
  const auto second = run(supervisor.acquire(model.id, Deadline::never()));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->socket_path(), first->socket_path());
}

TEST_F(Supervisor, OnlyWhoHoldsTheTokenIsAnswered) {
  const LocalModel model = this->model(1, ada, "good");
  start({model});
  const auto lease = acquire(model.id);
  ASSERT_TRUE(lease);

  EXPECT_EQ(testing::ask(lease->socket_path(), "guess", "/v1/models").status, 401);
  const auto folder = std::filesystem::path(lease->socket_path()).parent_path();
  EXPECT_EQ(std::filesystem::status(folder).permissions(), std::filesystem::perms::owner_all);
  const std::string token(lease->token().reveal());
  EXPECT_EQ(token.size(), 64u);
  ASSERT_TRUE(comes_true([&] { return process_of(model.id) > 0; }));
  const auto about = std::filesystem::path("/proc") / std::to_string(process_of(model.id));
  EXPECT_THAT(read_file(about / "cmdline"),
              AllOf(HasSubstr("--alias"), Not(HasSubstr(token)), Not(HasSubstr(home_.string()))));
  EXPECT_THAT(read_file(about / "environ"), Not(HasSubstr("PATH=")));
}

TEST_F(Supervisor, ACrashInTheMiddleFailsThatRequestAndNothingElse) {
  const LocalModel falling = this->model(1, ada, "falling");
  const LocalModel standing = this->model(2, bob, "standing");
  start({falling, standing});
  auto other = acquire(standing.id);
  ASSERT_TRUE(other);
  {
    const auto lease = acquire(falling.id);
    ASSERT_TRUE(lease);
    EXPECT_EQ(ask(*lease, "/crash").status, 0) << "this one is lost";
  }
  ASSERT_TRUE(comes_true([&] { return process_of(falling.id) < 0; }));
  EXPECT_THAT(ask(*other, "/v1/models").text, HasSubstr("pong")) << "the other owner's goes on";

  const auto again = acquire(falling.id);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_THAT(ask(*again, "/v1/models").text, HasSubstr("pong"));
  ask(*again, "/crash");
  ASSERT_TRUE(comes_true([&] { return process_of(falling.id) < 0; }));

  const auto refused = acquire(falling.id);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error, RunnerError::backing_off);
  EXPECT_THAT(refused.error().message,
              AllOf(HasSubstr("\"falling\" ended by itself 2 times in a row"),
                    HasSubstr("started again in"), HasSubstr("GGML_ASSERT(tensor) failed"),
                    HasSubstr("signal 6"), Not(HasSubstr("PLANTED"))));
  turn(2h);
  EXPECT_TRUE(acquire(falling.id));
}

TEST_F(Supervisor, WhyARunnerDidNotStartIsSaid) {
  const LocalModel model = this->model(1, ada, "fails");
  start({model});
  const auto refused = acquire(model.id);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error, RunnerError::start_failed);
  EXPECT_EQ(refused.error().message,
            "The runner of model \"fails\" ended before it was ready. Its last words: srv  "
            "load_model: unknown model architecture (status 1)");
}

TEST_F(Supervisor, AModelThatLoadsLongerThanOneCanWaitGoesOnLoading) {
  const LocalModel model = this->model(1, ada, "loads");
  start({model});
  const auto refused = acquire(model.id, 200ms);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error, RunnerError::too_slow);
  EXPECT_GT(process_of(model.id), 0);
}

TEST_F(Supervisor, AnIdleRunnerIsStoppedAndLeavesNothing) {
  const LocalModel model = this->model(1, ada, "good");
  start({model});
  std::filesystem::path folder;
  pid_t process = 0;
  {
    const auto lease = acquire(model.id);
    ASSERT_TRUE(lease);
    folder = std::filesystem::path(lease->socket_path()).parent_path();
    ASSERT_TRUE(comes_true([&] { return (process = process_of(model.id)) > 0; }));
    turn(1h);
    EXPECT_THAT(ask(*lease, "/v1/models").text, HasSubstr("pong")) << "in use, however long";
  }
  turn(11min);
  EXPECT_TRUE(comes_true([&] { return has_ended(process) && !std::filesystem::exists(folder); }));
  EXPECT_TRUE(acquire(model.id)) << "and comes back when it is wanted";
}

TEST_F(Supervisor, ARunnerThatDoesNotEndIsKilled) {
  settings_.limits.stop_grace = 50ms;
  const LocalModel model = this->model(1, ada, "stubborn");
  RunnerSupervisor& supervisor = start({model});
  ASSERT_TRUE(acquire(model.id));
  pid_t process = 0;
  ASSERT_TRUE(comes_true([&] { return (process = process_of(model.id)) > 0; }));
  supervisor.stop();
  EXPECT_TRUE(has_ended(process));
  const auto refused = run(supervisor.acquire(model.id, Deadline::never()));
  EXPECT_EQ(refused.error().error, RunnerError::stopping);
}

TEST_F(Supervisor, ARunnerThatNoLongerAnswersIsReplaced) {
  settings_.health_interval = 20ms;
  settings_.health_time_max = 50ms;
  const LocalModel model = this->model(1, ada, "good");
  start({model});
  {
    const auto lease = acquire(model.id);
    ASSERT_TRUE(lease);
    EXPECT_EQ(ask(*lease, "/hang").status, 0) << "broken off when the runner is killed";
  }
  const auto again = acquire(model.id);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_THAT(ask(*again, "/v1/models").text, HasSubstr("pong"));
}

TEST_F(Supervisor, OwnersHaveRunnersOfTheirOwnUnderUsersOfTheirOwn) {
  const LocalModel adas = this->model(1, ada, "good");
  const LocalModel bobs = this->model(2, bob, "good-too");
  start({adas, bobs});
  const auto first = acquire(adas.id);
  const auto second = acquire(bobs.id);
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->socket_path(), second->socket_path());
  if (::geteuid() != 0) GTEST_SKIP() << "skipped: users cannot be switched without root";
  struct stat one{};
  struct stat other{};
  ASSERT_EQ(::stat(first->socket_path().c_str(), &one), 0);
  ASSERT_EQ(::stat(second->socket_path().c_str(), &other), 0);
  EXPECT_EQ(one.st_uid, RunnerUsers{}.first + 1);
  EXPECT_EQ(other.st_uid, RunnerUsers{}.first + 2);
}

TEST_F(Supervisor, AnotherModelOfTheOwnerReplacesTheIdleOne) {
  const LocalModel one = this->model(1, ada, "one");
  const LocalModel other = this->model(2, ada, "other");
  start({one, other});
  ASSERT_TRUE(acquire(one.id));
  const auto lease = acquire(other.id);
  ASSERT_TRUE(lease) << lease.error().message;
  EXPECT_TRUE(comes_true([&] { return process_of(one.id) < 0 && process_of(other.id) > 0; }));
}

TEST_F(Supervisor, AChangedModelIsLoadedAnew) {
  LocalModel model = this->model(1, ada, "good");
  RunnerSupervisor& supervisor = start({model});
  ASSERT_TRUE(acquire(model.id));
  pid_t before = 0;
  ASSERT_TRUE(comes_true([&] { return (before = process_of(model.id)) > 0; }));
  model.options.context_tokens = 256;
  supervisor.set_models({model});
  ASSERT_TRUE(comes_true([&] { return has_ended(before); }));
  EXPECT_TRUE(acquire(model.id));
  supervisor.set_models({});
  ASSERT_TRUE(comes_true([&] { return process_of(model.id) < 0; }));
  EXPECT_EQ(acquire(model.id).error().error, RunnerError::model_missing);
}

TEST_F(Supervisor, ComesBackOnTheExecutorOnWhichItWasAwaited) {
  const LocalModel model = this->model(1, ada, "good");
  RunnerSupervisor& supervisor = start({model});
  testing::ThreadExecutor executor;
  std::promise<std::thread::id> resumed_on;
  spawn([](Executor& home, RunnerSupervisor& runner, LocalModelId id,
           std::promise<std::thread::id>& out) -> Task<void> {
    co_await resume_on(home);
    const auto lease = co_await runner.acquire(id, Deadline::never());
    out.set_value(lease ? std::this_thread::get_id() : std::thread::id());
  }(executor, supervisor, model.id, resumed_on));
  EXPECT_EQ(resumed_on.get_future().get(), executor.thread());
}

TEST_F(Supervisor, AWaiterThatIsDestroyedLeavesNoTrace) {
  const LocalModel model = this->model(1, ada, "good");
  RunnerSupervisor& supervisor = start({model});
  {
    // A caller who hangs up at once, before the runner is there.
    auto task = supervisor.acquire(model.id, Deadline::never());
    task.await_suspend(std::noop_coroutine()).resume();
  }
  ASSERT_TRUE(acquire(model.id));
  EXPECT_TRUE(comes_true([&] {
    supervisor.poke();
    const auto status = supervisor.status();
    return status.size() == 1 && status[0].requests == 0;
  }));
}

TEST_F(Supervisor, ManyAtOnceShareOneRunner) {
  const LocalModel model = this->model(1, ada, "good");
  start({model});
  std::vector<std::thread> callers;
  std::atomic<int> answered{0};
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        const auto lease = acquire(model.id);
        if (lease && ask(*lease, "/v1/models").status == 200) ++answered;
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(answered, 160);
  EXPECT_EQ(supervisor_->status().size(), 1u);
}

TEST_F(Supervisor, SaysWhatIsMissing) {
  LocalModel gone = model(1, ada, "gone");
  std::filesystem::remove(gone.path);
  LocalModel foreign = model(2, ada, "foreign");
  std::ofstream(foreign.path, std::ios::trunc) << "PK\x03\x04";
  settings_.available_memory = [] { return std::int64_t{32} << 20; };
  const LocalModel large = model(3, ada, "large");
  start({gone, foreign, large});

  EXPECT_EQ(acquire(gone.id).error().error, RunnerError::model_missing);
  const auto not_gguf = acquire(foreign.id);
  EXPECT_EQ(not_gguf.error().error, RunnerError::start_failed);
  EXPECT_THAT(not_gguf.error().message, HasSubstr("is no GGUF file"));
  const auto too_large = acquire(large.id);
  EXPECT_EQ(too_large.error().error, RunnerError::not_enough_memory);
  EXPECT_THAT(too_large.error().message,
              AllOf(HasSubstr("Model \"large\" needs about"), HasSubstr("32 MiB are available")));
  EXPECT_EQ(acquire(LocalModelId{77}).error().error, RunnerError::model_missing);
}

TEST_F(Supervisor, AFileThatTheRunnersUserMayNotReadIsExplained) {
  if (::geteuid() != 0) GTEST_SKIP() << "skipped: users cannot be switched without root";
  const LocalModel closed = model(1, ada, "closed");
  ::chmod(closed.path.c_str(), 0600);
  start({closed});
  const auto refused = acquire(closed.id);
  EXPECT_EQ(refused.error().error, RunnerError::model_missing);
  EXPECT_THAT(refused.error().message, HasSubstr("chmod o+r " + closed.path.string()));
}

TEST_F(Supervisor, AMissingRunnerOrOneThatIsAScriptIsExplained) {
  const LocalModel model = this->model(1, ada, "good");
  settings_.runner_path = home_ / "nothing";
  start({model});
  EXPECT_EQ(acquire(model.id).error().error, RunnerError::no_runner);

  supervisor_.reset();
  settings_.runner_path = home_ / "script";
  std::ofstream(settings_.runner_path) << "#!/bin/sh\n";
  ::chmod(settings_.runner_path.c_str(), 0755);
  start({model});
  EXPECT_THAT(acquire(model.id).error().message, HasSubstr("is a script"));

  supervisor_.reset();
  std::ofstream(settings_.runner_path) << "no program";
  start({model});
  EXPECT_THAT(acquire(model.id).error().message, HasSubstr("cannot be executed: Exec format"));
}

TEST_F(Supervisor, AHomeTooDeepForSocketsIsExplained) {
  settings_.run_folder = home_ / std::string(100, 'd') / "run";
  std::filesystem::create_directories(settings_.run_folder.parent_path());
  const LocalModel model = this->model(1, ada, "good");
  start({model});
  EXPECT_THAT(acquire(model.id).error().message,
              AllOf(HasSubstr("Unix sockets allow 107"), HasSubstr("--home")));
}

TEST_F(Supervisor, WhatAnEarlierServerLeftIsSwept) {
  std::filesystem::create_directories(settings_.run_folder / "runner-3");
  std::ofstream(settings_.run_folder / "runner-3/token") << "old";
  std::ofstream(settings_.run_folder / "control.sock") << "not ours";
  start({});
  EXPECT_FALSE(std::filesystem::exists(settings_.run_folder / "runner-3"));
  EXPECT_TRUE(std::filesystem::exists(settings_.run_folder / "control.sock"));
}

/// Runs `body` on a thread, and thereby with children, for whom the kernel has no Landlock.
template <typename Body>
void without_landlock(Body body) {
  std::thread([&] {
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
    ASSERT_EQ(
        seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(landlock_create_ruleset), 0), 0);
    ASSERT_EQ(seccomp_load(context), 0);
    seccomp_release(context);
    body();
  }).join();
}

TEST_F(Supervisor, WithoutAPartOfTheSandboxNothingIsRun) {
  const LocalModel model = this->model(1, ada, "good");
  settings_.sandbox.allowed_missing.remove(SandboxPart::landlock);
  without_landlock([&] { start({model}); });
  const auto refused = acquire(model.id);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error, RunnerError::no_sandbox);
  EXPECT_THAT(refused.error().message,
              AllOf(HasSubstr("landlock: this kernel has no Landlock"),
                    HasSubstr("local.sandbox_allow_missing = [\"landlock\"]"),
                    HasSubstr("local.sandbox = \"off\"")));
}

TEST_F(Supervisor, APartThatMayBeMissingKeepsTheOthers) {
  const LocalModel model = this->model(1, ada, "good");
  settings_.sandbox.allowed_missing.add(SandboxPart::landlock);
  without_landlock([&] { start({model}); });
  const auto lease = acquire(model.id);
  ASSERT_TRUE(lease) << lease.error().message;
  EXPECT_FALSE(supervisor_->sandbox().in_force().has(SandboxPart::landlock));
  EXPECT_TRUE(supervisor_->sandbox().in_force().has(SandboxPart::seccomp));
  ASSERT_TRUE(comes_true([&] { return process_of(model.id) > 0; }));
  EXPECT_THAT(read_file("/proc/" + std::to_string(process_of(model.id)) + "/status"),
              AllOf(HasSubstr("NoNewPrivs:\t1"), HasSubstr("Seccomp:\t2"),
                    HasSubstr("CapPrm:\t0000000000000000")));
}

TEST_F(Supervisor, SwitchedOffItRunsWithoutAnyPart) {
  const LocalModel model = this->model(1, ada, "good");
  settings_.sandbox.mode = SandboxMode::off;
  without_landlock([&] { start({model}); });
  EXPECT_TRUE(acquire(model.id));
}

/// Not a test of its own: what the next one starts, and kills. Prints the runner's process id.
TEST_F(Supervisor, DISABLED_PlaysAServerThatIsKilled) {
  const LocalModel model = this->model(1, ada, "stubborn");
  start({model});
  ASSERT_TRUE(acquire(model.id));
  comes_true([&] { return process_of(model.id) > 0; });
  std::printf("\nrunner %d in %s\n", static_cast<int>(process_of(model.id)), home_.c_str());
  std::fflush(stdout);
  for (;;) ::pause();
}

TEST_F(Supervisor, NoRunnerSurvivesAServerThatWasKilled) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  std::string self = "/proc/self/exe";
  std::string filter = "--gtest_filter=Supervisor.DISABLED_PlaysAServerThatIsKilled";
  std::string also_disabled = "--gtest_also_run_disabled_tests";
  char* arguments[] = {self.data(), filter.data(), also_disabled.data(), nullptr};
  char* environment[] = {nullptr};
  pid_t server = 0;
  ASSERT_EQ(::posix_spawn(&server, self.c_str(), &actions, nullptr, arguments, environment), 0);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);

  std::FILE* output = ::fdopen(ends[0], "r");
  int runner = 0;
  char folder[256] = {};
  char line[512];
  while (runner == 0 && std::fgets(line, sizeof line, output) != nullptr) {
    (void)std::sscanf(line, "runner %d in %255s", &runner, folder);
  }
  EXPECT_GT(runner, 0);
  EXPECT_FALSE(has_ended(runner));
  ::kill(server, SIGKILL);
  ::waitpid(server, nullptr, 0);
  EXPECT_TRUE(runner > 0 && comes_true([&] { return has_ended(runner); }));
  std::fclose(output);
  if (folder[0] != '\0') std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace claviger::local
