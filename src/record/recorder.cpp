#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <thread>

#include "base/quiet_thread.h"
#include "record/record.h"
#include "record/submission_queue.h"

namespace claviger::record {

/// What the submitting threads touch is apart from what the writer touches, by cache lines.
struct Recorder::State {
  State(RecordStore& records, Options chosen) : store(records), options(chosen) {}

  RecordStore& store;
  const Options options;

  alignas(64) SubmissionQueue<Record> submitted;
  /// Submitted and neither written nor lost; never above queue_records_max.
  alignas(64) std::atomic<std::size_t> waiting{0};
  std::atomic<std::int64_t> lost{0};
  alignas(64) std::atomic<std::int64_t> written{0};

  std::mutex mutex;
  std::condition_variable wake_writer;
  std::condition_variable round_done;
  /// Guarded by `mutex`: flushes asked for, the highest of them that a round has served, and
  /// whether that round left something unwritten.
  std::uint64_t flushes_asked = 0;
  std::uint64_t flushes_served = 0;
  bool last_round_failed = false;
  bool stopping = false;

  std::vector<Record> pending;  ///< The writer's own: taken, not yet written.
  std::thread writer;

  void run();
  Result<void> write_pending();
};

/// Writes `pending` from its front, a batch at a time, until it is empty or the store fails.
Result<void> Recorder::State::write_pending() {
  std::size_t begin = 0;
  Result<void> result;
  while (begin < pending.size()) {
    const std::size_t count = std::min(options.batch_records_max, pending.size() - begin);
    const auto first = pending.begin() + static_cast<std::ptrdiff_t>(begin);
    std::vector<Record> batch(std::make_move_iterator(first),
                              std::make_move_iterator(first + std::ptrdiff_t(count)));
    result = store.append(batch);
    if (!result) {
      std::move(batch.begin(), batch.end(), first);
      break;
    }
    begin += count;
    written.fetch_add(static_cast<std::int64_t>(count), std::memory_order_relaxed);
    waiting.fetch_sub(count, std::memory_order_relaxed);
  }
  pending.erase(pending.begin(), pending.begin() + static_cast<std::ptrdiff_t>(begin));
  return result;
}

void Recorder::State::run() {
  std::chrono::milliseconds pause = options.flush_every;
  std::unique_lock lock(mutex);
  while (true) {
    wake_writer.wait_for(lock, pause, [&] { return stopping || flushes_asked != flushes_served; });
    const std::uint64_t serving = flushes_asked;
    const bool last_round = stopping;
    lock.unlock();

    submitted.take_all(pending);
    const bool failed = !write_pending();

    lock.lock();
    if (failed) {
      const bool first_failure = !last_round_failed;
      pause = first_failure ? options.retry_after : std::min(pause * 2, options.retry_after_max);
    } else {
      pause = options.flush_every;
    }
    last_round_failed = failed;
    flushes_served = serving;
    round_done.notify_all();
    if (last_round) break;
  }
  lost.fetch_add(static_cast<std::int64_t>(pending.size()), std::memory_order_relaxed);
}

Recorder::Recorder(RecordStore& store, Options options)
    : state_(std::make_unique<State>(store, options)) {
  state_->writer = quiet_thread("records", [state = state_.get()] { state->run(); });
}

Recorder::~Recorder() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->wake_writer.notify_one();
  state_->writer.join();
}

void Recorder::submit(Record record) {
  // Counted before it is queued, so that the bound holds whatever threads do in between.
  const std::size_t before = state_->waiting.fetch_add(1, std::memory_order_relaxed);
  if (before >= state_->options.queue_records_max) {
    state_->waiting.fetch_sub(1, std::memory_order_relaxed);
    state_->lost.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  state_->submitted.push(std::move(record));
}

Result<void> Recorder::flush() {
  std::unique_lock lock(state_->mutex);
  const std::uint64_t ticket = ++state_->flushes_asked;
  state_->wake_writer.notify_one();
  state_->round_done.wait(lock, [&] { return state_->flushes_served >= ticket; });
  if (state_->last_round_failed) return std::unexpected(RecordError::unavailable);
  return {};
}

std::int64_t Recorder::records_lost() const {
  return state_->lost.load(std::memory_order_relaxed);
}
std::int64_t Recorder::records_written() const {
  return state_->written.load(std::memory_order_relaxed);
}

}  // namespace claviger::record
