#pragma once

/// Runs own model files: starts llama-server when somebody asks for a model, keeps it while it
/// is used, and cleans up after it.
///
/// One thread of its own does all that: it forks, waits, asks for health, and decides by
/// RunnerSchedule. It has to be one thread, and to live as long as the runners: the kernel
/// kills them when it ends, which is how none survives the server, not even its SIGKILL.
///
/// A request for a model that runs never meets that thread: it enters through the runner's
/// gate, on an atomic. Otherwise it leaves a note, sleeps, and is given back to the executor on
/// which it was found.
///
/// A runner that crashes breaks the connections of its requests, which the relay reports; the
/// next request starts it anew. Whoever enters in the instant between its death and our notice
/// of it finds nobody at the socket (ECONNREFUSED): nothing was sent, so giving the lease back
/// and asking once more is safe, and is the relay's to do. Nothing that a runner does reaches the
/// server but the end of its process and the bytes that it prints.

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "local/health_probe.h"
#include "local/local_model.h"
#include "local/open_file.h"
#include "local/output_tail.h"
#include "local/runner_process.h"
#include "local/runner_program.h"
#include "local/runner_schedule.h"
#include "local/sandbox.h"
#include "route/runner.h"

namespace claviger::local {

/// `[local]` of claviger.toml.
struct RunnerSettings {
  std::filesystem::path run_folder;   ///< HOME/run; made with mode 0700 where it is missing.
  std::filesystem::path runner_path;  ///< local.runner_path; empty: searched, see find_runner().
  SandboxPolicy sandbox;              ///< local.sandbox, local.sandbox_allow_missing
  RunnerUsers users;                  ///< local.runner_user_first, local.runner_user_count
  RunnerLimits limits;
  RunnerTuning tuning;
  Duration health_interval = std::chrono::seconds(10);
  Duration health_time_max = std::chrono::seconds(5);
  /// So many questions in a row without an answer end a runner.
  std::uint32_t unanswered_max = 3;
  EnvironmentLookup environment = process_environment();
  /// Bytes that can be taken; for tests.
  std::function<std::int64_t()> available_memory;
};

/// How a runner stands, for `doctor`, the console and metrics.
struct RunnerStatus {
  LocalModelId model;
  pid_t process = -1;
  bool is_ready = false;
  std::uint32_t requests = 0;  ///< Leases held on it.
};

/// Ownership: main() owns the one instance; it outlives every lease and every waiting acquire(),
/// and executors outlive stop().
/// Threads: any method, from any thread, concurrently.
class RunnerSupervisor final : public route::Runner {
 public:
  /// Starts the thread. `clock` outlives this. What an earlier server left in the run folder
  /// is removed.
  RunnerSupervisor(RunnerSettings settings, const Clock& clock);
  RunnerSupervisor(const RunnerSupervisor&) = delete;
  RunnerSupervisor& operator=(const RunnerSupervisor&) = delete;
  ~RunnerSupervisor() override;

  /// All models that exist. A runner whose model is gone or has changed takes no more requests
  /// and ends when the last one has left.
  void set_models(std::vector<LocalModel> models);

  /// Cancellation: a coroutine that waits here may be destroyed as long as its executor has not
  /// been given it back. Where no executor runs the calling thread, the supervisor's thread
  /// resumes it.
  Task<std::expected<route::RunnerLease, route::RunnerFailure>> acquire(LocalModelId model,
                                                                        Deadline deadline) override;

  /// Refuses new requests, stops all runners and returns when they are gone: at most the grace
  /// of RunnerLimits and a moment. Repeating it is harmless.
  void stop();
  /// Decides anew, as after turning a test's clock.
  void poke();
  std::vector<RunnerStatus> status() const;
  /// What of the sandbox is in force; made at the first start of a runner or by this.
  SandboxReport sandbox();

 private:
  using Result = std::expected<route::RunnerLease, route::RunnerFailure>;
  struct Waiter;
  class Waiting;
  /// What requests need of a runner. Written before its gate opens.
  struct Address {
    std::string socket_path;
    std::shared_ptr<const Secret> token;
  };
  struct Supervised {
    RunnerProcess process;
    OutputTail output;
    std::unique_ptr<HealthProbe> probe;
    Instant probe_until;
    Instant next_probe;
    Duration pause{};
    std::uint32_t unanswered = 0;
  };

  void run();
  void take_notes();
  void act(const Action& action);
  void start_runner(SlotNumber slot, LocalModelId model);
  void look_after(Instant now);
  void probe(SlotNumber slot, Supervised& runner, Instant now);
  void on_health(SlotNumber slot, Supervised& runner, Health health, Instant now);
  void read_output(Supervised& runner);
  bool collect_end(SlotNumber slot, Supervised& runner, Instant now);
  void sleep();
  Instant wake_at() const;
  void publish_status();
  void refuse_the_rest();
  void deliver(WaiterId waiter, Result result);
  route::RunnerLease lease_on(SlotNumber slot);
  void release(SlotNumber slot);
  std::optional<route::RunnerLease> enter_running(LocalModelId model);
  bool leave_note(std::shared_ptr<Waiter> waiter);
  void forget(const std::shared_ptr<Waiter>& waiter);
  const SandboxReport& sandbox_report_once();

  const RunnerSettings settings_;
  const Clock& clock_;
  OpenFile wake_;

  // The supervisor's thread only, but for the gates inside of schedule_.
  RunnerSchedule schedule_;
  std::vector<Address> addresses_;
  std::map<SlotNumber, Supervised> runners_;
  std::map<LocalModelId, LocalModel> models_;
  std::map<WaiterId, std::shared_ptr<Waiter>> waiters_;
  WaiterId last_waiter_ = 0;
  bool is_shutting_down_ = false;

  /// Notes for the supervisor's thread, and what it publishes.
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Waiter>> new_waiters_;
  std::vector<WaiterId> forgotten_;
  std::optional<std::vector<LocalModel>> new_models_;
  std::vector<RunnerStatus> status_;
  bool is_stopping_ = false;
  bool has_ended_ = false;

  std::mutex sandbox_mutex_;
  std::optional<SandboxReport> sandbox_;

  std::mutex join_mutex_;
  std::thread thread_;  ///< Last: it uses all of the above.
};

}  // namespace claviger::local
