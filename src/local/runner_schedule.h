#pragma once

/// Which runner runs when: decides, and does nothing. Time comes in as an argument and actions
/// go out as values, so that every rule here is tested without a process, a thread or a pause.
///
/// The rules:
/// - One runner per owner as long as one will do: another model of the same owner replaces the
///   one that is idle. Where that one is in use, a second is started, up to
///   `runners_per_owner_max`, so that one person's long answer does not block their other model.
/// - At most `runners_max` in all. Beyond that, the runner that has been idle longest goes,
///   whosever it is; where none is idle, requests wait until their deadline.
/// - A runner that ends by itself is started again when somebody asks: at once the first time,
///   then after a pause that doubles. A runner that was steady for a while starts anew.
/// - A runner that nobody used for `idle_stop` is stopped.
/// Waiting requests are served in the order in which they came.
///
/// Threads: one, the supervisor's; only the gates are shared.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "local/runner_gate.h"
#include "route/runner.h"

namespace claviger::local {

struct RunnerLimits {
  std::uint32_t runners_max = 4;
  std::uint32_t runners_per_owner_max = 2;
  /// Requests inside one runner: those in its slots and those in its queue.
  std::uint32_t leases_per_runner_max = 64;
  std::uint32_t waiting_max = 1'024;  ///< Requests that wait for any runner.
  Duration idle_stop = std::chrono::minutes(10);
  Duration start_time_max = std::chrono::minutes(5);
  Duration stop_grace = std::chrono::seconds(5);  ///< Between SIGTERM and SIGKILL.
  Duration pause_first = std::chrono::seconds(1);
  Duration pause_max = std::chrono::minutes(5);
  Duration steady_after = std::chrono::minutes(1);
};

using WaiterId = std::uint64_t;
using SlotNumber = std::uint32_t;

struct Ask {
  WaiterId waiter = 0;
  LocalModelId model;
  OwnerId owner;
  std::string model_name;  ///< For messages.
  Deadline deadline = Deadline::never();
};

struct Action {
  enum class Kind : std::uint8_t {
    start,   ///< Start `model` in `slot`.
    stop,    ///< Ask the process in `slot` to end.
    kill,    ///< End it.
    serve,   ///< `waiter` has entered the gate of `slot`.
    refuse,  ///< `waiter` gets `failure`.
  };
  Kind kind = Kind::start;
  SlotNumber slot = 0;
  LocalModelId model;
  WaiterId waiter = 0;
  route::RunnerFailure failure;
};

class RunnerSchedule {
 public:
  /// `seed` drives the jitter of pauses.
  RunnerSchedule(const RunnerLimits& limits, std::uint64_t seed);

  void ask(Ask ask);
  void forget(WaiterId waiter);
  /// The process in `slot` answers.
  void became_ready(SlotNumber slot, Instant now);
  /// The process in `slot` is gone. `last_words` may be empty.
  void ended(SlotNumber slot, std::string last_words, Instant now);
  /// It never came to a process: no memory, no file, no sandbox. Everybody who waits for its
  /// model is told, and nobody is made to wait before the next try.
  void could_not_start(SlotNumber slot, const route::RunnerFailure& failure);
  /// There is no memory for the one in `slot`. True where an idle runner is stopped to make
  /// room, and the start is then decided again; false where none is idle.
  bool make_memory_for(SlotNumber slot, Instant now);
  /// The process in `slot` no longer answers.
  void stopped_answering(SlotNumber slot, Instant now);
  /// `model` is gone or has changed: its runners take no more requests and end when idle.
  void retire(LocalModelId model);
  /// Refuses everybody and stops everything.
  void shut_down();

  /// What to do now.
  std::vector<Action> decide(Instant now);
  /// When to decide again even if nothing happens.
  Instant next_decision() const;

  std::deque<RunnerGate>& gates() { return gates_; }
  /// A slot with a process in it, in whatever state.
  bool is_alive(SlotNumber slot) const;
  LocalModelId model_of(SlotNumber slot) const { return slots_[slot].model; }
  bool is_ready(SlotNumber slot) const { return slots_[slot].state == State::ready; }
  bool all_gone() const;

 private:
  enum class State : std::uint8_t {
    empty,
    starting,
    ready,
    stopping,
    draining,  ///< The process is gone; leases on it are still held.
  };
  struct Slot {
    State state = State::empty;
    LocalModelId model;
    OwnerId owner;
    std::string model_name;
    Instant since;  ///< In this state.
    std::optional<Instant> ready_at;
    LocalModelId successor;       ///< Stopped to make room for this model.
    std::string stopped_because;  ///< Not empty: this end counts as a crash.
    bool retiring = false;
    bool kill_sent = false;
  };
  /// What is remembered of a model whose runner ended by itself.
  struct Trouble {
    std::uint32_t failures = 0;
    Instant retry_at;
    std::string last_words;
  };
  enum class Turn : std::uint8_t { done, waits };

  void empty_drained_slots();
  void watch_clocks(Instant now, std::vector<Action>& actions);
  void stop_idle(Instant now, std::vector<Action>& actions);
  Turn serve(const Ask& ask, Instant now, std::vector<Action>& actions);
  std::optional<SlotNumber> running(LocalModelId model) const;
  bool makes_room_for(LocalModelId model) const;
  void find_room(const Ask& ask, Instant now, std::vector<Action>& actions);
  std::optional<SlotNumber> longest_idle(std::optional<OwnerId> owner) const;
  bool stop_for(SlotNumber slot, LocalModelId successor, Instant now, std::vector<Action>& actions);
  void begin_stop(SlotNumber slot, Instant now, std::vector<Action>& actions);
  void start(const Ask& ask, Instant now, std::vector<Action>& actions);
  std::uint32_t alive_count(std::optional<OwnerId> owner) const;
  void set_wanted();
  route::RunnerFailure too_slow(const Ask& ask, Instant now) const;
  void remember_trouble(const Slot& slot, std::string last_words, Instant now);
  Duration pause_after(std::uint32_t failures);
  void refuse_waiters_of(LocalModelId model, const route::RunnerFailure& failure);

  RunnerLimits limits_;
  std::uint64_t random_state_;
  std::deque<RunnerGate> gates_;
  std::vector<Slot> slots_;
  std::deque<Ask> waiting_;
  std::map<LocalModelId, Trouble> troubles_;
  /// Decided outside of decide(); handed out by the next one.
  std::vector<Action> pending_;
  bool shutting_down_ = false;
};

}  // namespace claviger::local
