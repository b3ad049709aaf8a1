#pragma once

/// What tests of the supervisor share: a home folder, models, a clock that can be turned, a
/// thread that resumes coroutines, and a caller of the runner's socket.

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <thread>

#include "base/executor.h"
#include "local/gguf_writer.h"
#include "local/runner_supervisor.h"

namespace claviger::local::testing {

/// Real time and what a test added to it. Threads: any.
class TurnedClock final : public Clock {
 public:
  Instant now() const override { return system_.now() + Duration(turned_.load()); }
  WallTime wall_now() const override { return system_.wall_now(); }
  void turn(Duration by) { turned_ += by.count(); }

 private:
  SystemClock system_;
  std::atomic<Duration::rep> turned_{0};
};

/// One thread that resumes what is posted to it.
class ThreadExecutor final : public Executor {
 public:
  ThreadExecutor() : thread_([this] { run(); }) {}
  ~ThreadExecutor() override {
    {
      const std::lock_guard lock(mutex_);
      is_done_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  void post(std::coroutine_handle<> waiting) override {
    // Told while the lock is held: what is resumed may destroy this.
    const std::lock_guard lock(mutex_);
    waiting_.push_back(waiting);
    changed_.notify_all();
  }
  std::thread::id thread() const { return thread_.get_id(); }

 private:
  void run() {
    current_ = this;
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return is_done_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      const auto next = waiting_.front();
      waiting_.pop_front();
      lock.unlock();
      next.resume();
      lock.lock();
    }
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::coroutine_handle<>> waiting_;
  bool is_done_ = false;
  std::thread thread_;
};

struct Answer {
  int status = 0;    ///< 0: the connection broke.
  std::string text;  ///< Head and body.
};

/// One request over a Unix socket, blocking, at most a minute.
inline Answer ask(const std::string& socket_path, std::string_view token, std::string_view path,
                  std::string_view body = "{}", std::string_view method = "POST") {
  const int file = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval minute{60, 0};
  ::setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &minute, sizeof minute);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  Answer answer;
  if (::connect(file, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    std::string request = std::string(method) + " " + std::string(path) +
                          " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " +
                          std::string(token) +
                          "\r\nConnection: close\r\nContent-Type: application/json\r\n"
                          "Content-Length: " +
                          std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
    (void)!::send(file, request.data(), request.size(), MSG_NOSIGNAL);
    char bytes[4096];
    for (ssize_t got = 0; (got = ::recv(file, bytes, sizeof bytes, 0)) > 0;) {
      answer.text.append(bytes, static_cast<std::size_t>(got));
    }
    if (answer.text.size() > 12) answer.status = std::atoi(answer.text.c_str() + 9);
  }
  ::close(file);
  return answer;
}

/// Waits for something that happens by itself within moments; bounded, so that a test that
/// waits in vain fails instead of hanging.
template <typename Condition>
bool comes_true(Condition condition, std::chrono::seconds within = std::chrono::seconds(30)) {
  const auto until = std::chrono::steady_clock::now() + within;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    ::poll(nullptr, 0, 5);
  }
  return true;
}

/// Gone, or a zombie whose parent has other things to do.
inline bool has_ended(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return true;
  const auto name_end = line.rfind(')');
  return name_end != std::string::npos && line.compare(name_end, 3, ") Z") == 0;
}

/// The parts of the sandbox that this machine lacks, said once: tests of the supervisor do
/// without these, and with all others.
inline SandboxParts missing_here() {
  static const SandboxParts missing = [] {
    SandboxParts parts;
    for (const PartReport& report : sandbox_report({}).parts) {
      if (report.state != PartState::missing) continue;
      parts.add(report.part);
      std::printf("without the sandbox's part %s: %s\n", std::string(name_of(report.part)).c_str(),
                  report.detail.c_str());
    }
    return parts;
  }();
  return missing;
}

class SupervisorTest : public ::testing::Test {
 protected:
  using Result = std::expected<route::RunnerLease, route::RunnerFailure>;

  void SetUp() override {
    char name[] = "/tmp/claviger_local_XXXXXX";
    home_ = ::mkdtemp(name);
    settings_.run_folder = home_ / "run";
    settings_.runner_path = CLAVIGER_FAKE_RUNNER;
    settings_.sandbox.allowed_missing = missing_here();
    settings_.limits.pause_first = std::chrono::hours(1);
  }
  void TearDown() override {
    supervisor_.reset();
    std::filesystem::remove_all(home_);
  }

  /// A tiny model file in a folder that only we can enter.
  LocalModel model(std::int64_t id, OwnerId owner, std::string name) {
    std::filesystem::create_directories(home_ / "models");
    ::chmod((home_ / "models").c_str(), 0700);
    LocalModel model;
    model.id = LocalModelId{id};
    model.owner = owner;
    model.path = home_ / "models" / (name + ".gguf");
    model.name = std::move(name);
    model.context_tokens = 512;
    std::ofstream(model.path, std::ios::binary) << tiny_model().file();
    ::chmod(model.path.c_str(), 0644);
    return model;
  }
  RunnerSupervisor& start(std::vector<LocalModel> models) {
    supervisor_.emplace(settings_, clock_);
    supervisor_->set_models(std::move(models));
    return *supervisor_;
  }
  /// Waits for it on this thread; resumes on the supervisor's.
  Result acquire(LocalModelId model, Duration patience = std::chrono::minutes(1)) {
    std::promise<Result> promise;
    auto future = promise.get_future();
    spawn(wait_for(*supervisor_, model, Deadline(clock_.now() + patience), promise));
    if (future.wait_for(std::chrono::minutes(2)) != std::future_status::ready) {
      ADD_FAILURE() << "acquire() never came back";
      std::abort();
    }
    return future.get();
  }
  static Task<void> wait_for(RunnerSupervisor& supervisor, LocalModelId model, Deadline deadline,
                             std::promise<Result>& promise) {
    promise.set_value(co_await supervisor.acquire(model, deadline));
  }
  static Answer ask(const route::RunnerLease& lease, std::string_view path,
                    std::string_view body = "{}") {
    return testing::ask(lease.socket_path(), lease.token().reveal(), path, body);
  }
  pid_t process_of(LocalModelId model) {
    for (const RunnerStatus& one : supervisor_->status()) {
      if (one.model == model) return one.process;
    }
    return -1;
  }
  void turn(Duration by) {
    clock_.turn(by);
    supervisor_->poke();
  }

  std::filesystem::path home_;
  RunnerSettings settings_;
  TurnedClock clock_;
  std::optional<RunnerSupervisor> supervisor_;
};

}  // namespace claviger::local::testing
