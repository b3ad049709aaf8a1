#include "local/runner_supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/executor.h"
#include "local/available_memory.h"
#include "local/model_inspection.h"

namespace claviger::local {
namespace {

using namespace std::chrono_literals;
using route::RunnerError;
using route::RunnerFailure;
using route::RunnerLease;

/// The supervisor looks around at least so often, whatever it expects.
constexpr Duration sleep_max = 5s;
/// Where the kernel gives no descriptor for a process, its end is looked for so often.
constexpr Duration sleep_max_without_end = 100ms;
/// While a model loads, its health is asked for after pauses that grow up to this.
constexpr Duration loading_pause_first = 10ms;
constexpr Duration loading_pause_max = 250ms;
constexpr Duration unanswered_pause = 1s;
constexpr std::string_view folder_prefix = "runner-";
/// Of output read at a time, so that a runner that prints without end keeps nobody from a turn.
constexpr int output_reads_max = 16;

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  (void)!::getrandom(&seed, sizeof seed, 0);
  return seed;
}

RunnerFailure refused(const InspectionFailure& failure) {
  const bool is_gone = failure.error == InspectionError::unreadable ||
                       failure.error == InspectionError::part_missing;
  return {is_gone ? RunnerError::model_missing : RunnerError::start_failed, failure.message};
}

RunnerFailure stopping_failure() {
  return {RunnerError::stopping, "The server is stopping. Try again when it is back."};
}

RunnerFailure no_such_model(LocalModelId model) {
  return {RunnerError::model_missing,
          fmt::format("There is no model {} any more. See claviger model list.", model.text())};
}

/// The folder of every runner that an earlier server had to leave behind.
void sweep(const std::filesystem::path& run_folder) {
  std::error_code error;
  ::mkdir(run_folder.c_str(), 0700);
  std::vector<std::filesystem::path> left;
  for (std::filesystem::directory_iterator entry(run_folder, error), end; entry != end && !error;
       entry.increment(error)) {
    if (entry->path().filename().string().starts_with(folder_prefix)) {
      left.push_back(entry->path());
    }
  }
  for (const auto& folder : left) std::filesystem::remove_all(folder, error);
}

}  // namespace

/// A request that waits. Shared by the coroutine that waits and the supervisor, because either
/// may be gone first.
struct RunnerSupervisor::Waiter {
  Waiter(LocalModelId wanted, Deadline until, std::coroutine_handle<> suspended)
      : model(wanted), deadline(until), executor(Executor::current()), waiting(suspended) {}

  const LocalModelId model;
  const Deadline deadline;
  Executor* const executor;
  const std::coroutine_handle<> waiting;

  WaiterId id = 0;  ///< Under the supervisor's mutex_.

  std::mutex mutex;
  bool is_abandoned = false;
  std::optional<Result> result;
};

class RunnerSupervisor::Waiting {
 public:
  Waiting(RunnerSupervisor& supervisor, LocalModelId model, Deadline deadline)
      : supervisor_(supervisor), model_(model), deadline_(deadline) {}
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  /// Without a result the coroutine is being destroyed while it waits.
  ~Waiting() {
    if (waiter_) supervisor_.forget(waiter_);
  }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> waiting) {
    waiter_ = std::make_shared<Waiter>(model_, deadline_, waiting);
    // From here on another thread may resume the coroutine and destroy this.
    return supervisor_.leave_note(waiter_);
  }
  Result await_resume() {
    const std::shared_ptr<Waiter> waiter = std::exchange(waiter_, nullptr);
    const std::lock_guard lock(waiter->mutex);
    if (!waiter->result) return std::unexpected(stopping_failure());
    return std::move(*waiter->result);
  }

 private:
  RunnerSupervisor& supervisor_;
  LocalModelId model_;
  Deadline deadline_;
  std::shared_ptr<Waiter> waiter_;
};

RunnerSupervisor::RunnerSupervisor(RunnerSettings settings, const Clock& clock)
    : settings_(std::move(settings)),
      clock_(clock),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      schedule_(settings_.limits, random_seed()),
      addresses_(schedule_.gates().size()) {
  sweep(settings_.run_folder);
  // No signal is meant for this thread: the server's main loop takes them.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

RunnerSupervisor::~RunnerSupervisor() {
  stop();
}

void RunnerSupervisor::set_models(std::vector<LocalModel> models) {
  {
    const std::lock_guard lock(mutex_);
    new_models_ = std::move(models);
  }
  poke();
}

Task<std::expected<RunnerLease, RunnerFailure>> RunnerSupervisor::acquire(LocalModelId model,
                                                                          Deadline deadline) {
  if (auto lease = enter_running(model)) co_return std::move(*lease);
  co_return co_await Waiting(*this, model, deadline);
}

std::optional<RunnerLease> RunnerSupervisor::enter_running(LocalModelId model) {
  auto& gates = schedule_.gates();
  for (SlotNumber slot = 0; slot < gates.size(); ++slot) {
    if (gates[slot].try_enter(model, settings_.limits.leases_per_runner_max)) {
      return lease_on(slot);
    }
  }
  return std::nullopt;
}

/// The caller has entered the slot's gate.
RunnerLease RunnerSupervisor::lease_on(SlotNumber slot) {
  return RunnerLease(addresses_[slot].socket_path, addresses_[slot].token,
                     [this, slot] { release(slot); });
}

void RunnerSupervisor::release(SlotNumber slot) {
  if (schedule_.gates()[slot].leave(clock_.now())) poke();
}

void RunnerSupervisor::poke() {
  const std::uint64_t one = 1;
  (void)!::write(wake_.number(), &one, sizeof one);
}

/// False where nobody will read it any more.
bool RunnerSupervisor::leave_note(std::shared_ptr<Waiter> waiter) {
  {
    const std::lock_guard lock(mutex_);
    if (is_stopping_) return false;
    waiter->id = ++last_waiter_;
    new_waiters_.push_back(std::move(waiter));
  }
  poke();
  return true;
}

void RunnerSupervisor::forget(const std::shared_ptr<Waiter>& waiter) {
  {
    const std::lock_guard lock(waiter->mutex);
    waiter->is_abandoned = true;
    waiter->result.reset();
  }
  {
    const std::lock_guard lock(mutex_);
    if (!has_ended_) forgotten_.push_back(waiter->id);
  }
  poke();
}

void RunnerSupervisor::deliver(WaiterId id, Result result) {
  const auto found = waiters_.find(id);
  if (found == waiters_.end()) return;  // Forgotten; a lease gives itself back here.
  const std::shared_ptr<Waiter> waiter = std::move(found->second);
  waiters_.erase(found);
  {
    const std::lock_guard lock(waiter->mutex);
    if (waiter->is_abandoned) return;
    waiter->result.emplace(std::move(result));
  }
  if (waiter->executor != nullptr) {
    waiter->executor->post(waiter->waiting);
  } else {
    waiter->waiting.resume();
  }
}

void RunnerSupervisor::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  poke();
  const std::lock_guard lock(join_mutex_);
  if (thread_.joinable()) thread_.join();
}

std::vector<RunnerStatus> RunnerSupervisor::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

SandboxReport RunnerSupervisor::sandbox() {
  return sandbox_report_once();
}

const SandboxReport& RunnerSupervisor::sandbox_report_once() {
  const std::lock_guard lock(sandbox_mutex_);
  if (!sandbox_) sandbox_ = sandbox_report(settings_.sandbox, settings_.users);
  return *sandbox_;
}

void RunnerSupervisor::run() {
  for (;;) {
    take_notes();
    look_after(clock_.now());
    for (const Action& action : schedule_.decide(clock_.now())) act(action);
    publish_status();
    if (is_shutting_down_ && schedule_.all_gone()) break;
    sleep();
  }
  refuse_the_rest();
}

void RunnerSupervisor::take_notes() {
  std::vector<std::shared_ptr<Waiter>> waiters;
  std::vector<WaiterId> forgotten;
  std::optional<std::vector<LocalModel>> models;
  {
    const std::lock_guard lock(mutex_);
    waiters.swap(new_waiters_);
    forgotten.swap(forgotten_);
    models.swap(new_models_);
    if (is_stopping_ && !is_shutting_down_) {
      is_shutting_down_ = true;
      schedule_.shut_down();
    }
  }
  if (models) {
    std::map<LocalModelId, LocalModel> now;
    for (LocalModel& model : *models) now.emplace(model.id, std::move(model));
    for (const auto& [id, model] : models_) {
      const auto same = now.find(id);
      if (same == now.end() || same->second != model) schedule_.retire(id);
    }
    models_ = std::move(now);
  }
  for (auto& waiter : waiters) {
    const WaiterId id = waiter->id;
    const auto model = models_.find(waiter->model);
    Ask ask{id, waiter->model, {}, {}, waiter->deadline};
    waiters_.emplace(id, std::move(waiter));
    if (model == models_.end()) {
      deliver(id, std::unexpected(no_such_model(ask.model)));
      continue;
    }
    ask.owner = model->second.owner;
    ask.model_name = model->second.name;
    schedule_.ask(std::move(ask));
  }
  for (const WaiterId id : forgotten) {
    schedule_.forget(id);
    waiters_.erase(id);
  }
}

void RunnerSupervisor::act(const Action& action) {
  switch (action.kind) {
    case Action::Kind::start:
      start_runner(action.slot, action.model);
      break;
    case Action::Kind::stop:
    case Action::Kind::kill:
      if (const auto found = runners_.find(action.slot); found != runners_.end()) {
        found->second.process.send_signal(action.kind == Action::Kind::stop ? SIGTERM : SIGKILL);
      }
      break;
    case Action::Kind::serve:
      deliver(action.waiter, lease_on(action.slot));
      break;
    case Action::Kind::refuse:
      deliver(action.waiter, std::unexpected(action.failure));
      break;
  }
}

void RunnerSupervisor::start_runner(SlotNumber slot, LocalModelId id) {
  const auto give_up = [&](const RunnerFailure& failure) {
    schedule_.could_not_start(slot, failure);
  };
  const auto found = models_.find(id);
  if (found == models_.end()) return give_up(no_such_model(id));
  const LocalModel& model = found->second;
  const auto program = find_runner(settings_.runner_path, settings_.environment);
  if (!program) return give_up({RunnerError::no_runner, program.error()});
  const SandboxReport& sandbox = sandbox_report_once();
  if (!sandbox.is_sufficient()) return give_up({RunnerError::no_sandbox, sandbox.refusal()});

  const std::int64_t available =
      settings_.available_memory ? settings_.available_memory() : available_memory_bytes();
  const RunnerShape shape{settings_.tuning.request_slots,
                          std::int64_t{settings_.tuning.prompt_cache_mib} << 20};
  const auto inspection = inspect(model, shape, available);
  if (!inspection) return give_up(refused(inspection.error()));
  if (inspection->fit == MemoryFit::does_not_fit) {
    if (schedule_.make_memory_for(slot, clock_.now())) return;
    return give_up({RunnerError::not_enough_memory,
                    fmt::format("Model \"{}\" {}.", model.name, inspection->summary)});
  }
  auto started = RunnerProcess::start(
      {model, inspection->need, settings_.tuning, sandbox, settings_.users, *program,
       settings_.run_folder / fmt::format("{}{}", folder_prefix, slot)});
  if (!started) return give_up(started.error());
  addresses_[slot] = {started->socket_path(), started->token()};
  const auto [runner, is_new] =
      runners_.try_emplace(slot, Supervised{std::move(*started), {}, {}, {}, {}, {}, 0});
  runner->second.pause = loading_pause_first;
  runner->second.next_probe = clock_.now() + loading_pause_first;
}

void RunnerSupervisor::look_after(Instant now) {
  for (auto entry = runners_.begin(); entry != runners_.end();) {
    auto& [slot, runner] = *entry;
    read_output(runner);
    if (collect_end(slot, runner, now)) {
      entry = runners_.erase(entry);
      continue;
    }
    probe(slot, runner, now);
    ++entry;
  }
}

void RunnerSupervisor::probe(SlotNumber slot, Supervised& runner, Instant now) {
  if (!runner.probe && now >= runner.next_probe) {
    runner.probe = std::make_unique<HealthProbe>(runner.process.socket_path());
    runner.probe_until = now + settings_.health_time_max;
  }
  if (!runner.probe) return;
  if (runner.probe->is_asking()) runner.probe->on_readable();
  const bool is_late = runner.probe->is_asking() && now >= runner.probe_until;
  if (runner.probe->is_asking() && !is_late) return;
  const Health health = is_late ? Health::unreachable : runner.probe->health();
  runner.probe.reset();
  on_health(slot, runner, health, now);
}

void RunnerSupervisor::on_health(SlotNumber slot, Supervised& runner, Health health, Instant now) {
  const bool was_ready = schedule_.is_ready(slot);
  if (health == Health::ready) {
    runner.unanswered = 0;
    runner.next_probe = now + settings_.health_interval;
    if (was_ready) return;
    runner.output.is_serving();
    schedule_.became_ready(slot, now);
    return;
  }
  if (!was_ready) {
    runner.pause = std::min(runner.pause * 3 / 2, loading_pause_max);
    runner.next_probe = now + runner.pause;
    return;
  }
  runner.next_probe = now + std::min(unanswered_pause, settings_.health_interval);
  if (++runner.unanswered >= settings_.unanswered_max) schedule_.stopped_answering(slot, now);
}

void RunnerSupervisor::read_output(Supervised& runner) {
  std::array<char, 4096> bytes{};
  for (int i = 0; i < output_reads_max; ++i) {
    const ssize_t got = ::read(runner.process.output().number(), bytes.data(), bytes.size());
    if (got == 0) runner.process.output().reset();
    if (got <= 0) return;
    runner.output.add({bytes.data(), static_cast<std::size_t>(got)});
  }
}

bool RunnerSupervisor::collect_end(SlotNumber slot, Supervised& runner, Instant now) {
  const std::string end = runner.process.take_end();
  if (end.empty()) return false;
  read_output(runner);
  const std::string words = runner.output.last_words();
  schedule_.ended(slot, words.empty() ? end : fmt::format("{} ({})", words, end), now);
  return true;
}

Instant RunnerSupervisor::wake_at() const {
  const Instant now = clock_.now();
  Instant at = std::min(schedule_.next_decision(), now + sleep_max);
  for (const auto& [slot, runner] : runners_) {
    at = std::min(at, runner.probe ? runner.probe_until : runner.next_probe);
    if (!runner.process.end().is_open()) at = std::min(at, now + sleep_max_without_end);
  }
  return at;
}

void RunnerSupervisor::sleep() {
  std::vector<pollfd> files;
  files.push_back({wake_.number(), POLLIN, 0});
  for (auto& [slot, runner] : runners_) {
    files.push_back({runner.process.end().number(), POLLIN, 0});
    files.push_back({runner.process.output().number(), POLLIN, 0});
    if (runner.probe) files.push_back({runner.probe->file(), POLLIN, 0});
  }
  const Instant now = clock_.now();
  const Duration left = std::max(wake_at(), now) - now;
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  (void)::poll(files.data(), files.size(), static_cast<int>(milliseconds));
  std::uint64_t count = 0;
  (void)!::read(wake_.number(), &count, sizeof count);
}

void RunnerSupervisor::publish_status() {
  std::vector<RunnerStatus> status;
  for (SlotNumber slot = 0; slot < schedule_.gates().size(); ++slot) {
    if (!schedule_.is_alive(slot)) continue;
    RunnerStatus one;
    one.model = schedule_.model_of(slot);
    one.is_ready = schedule_.is_ready(slot);
    one.requests = schedule_.gates()[slot].inside();
    if (const auto found = runners_.find(slot); found != runners_.end()) {
      one.process = found->second.process.process();
    }
    status.push_back(one);
  }
  const std::lock_guard lock(mutex_);
  status_ = std::move(status);
}

void RunnerSupervisor::refuse_the_rest() {
  {
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
    for (auto& waiter : new_waiters_) {
      const WaiterId id = waiter->id;
      waiters_.emplace(id, std::move(waiter));
    }
    new_waiters_.clear();
    forgotten_.clear();
  }
  while (!waiters_.empty()) {
    deliver(waiters_.begin()->first, std::unexpected(stopping_failure()));
  }
}

}  // namespace claviger::local
