#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "base/quiet_thread.h"
#include "record/record.h"
#include "record/sheet_stack.h"

namespace claviger::record {
namespace {

/// Blank sheets that lie ready; a second's burst of them would be 20 MB.
constexpr std::size_t kSpareMax = 4'096;
/// A text that was long once is not kept for ever.
constexpr std::size_t kTextBytesKept = 1'024;

/// A thread's own blank sheets.
struct SparesOfThread {
  ~SparesOfThread() { SheetStack::delete_all(top); }
  Sheet* top = nullptr;
};
thread_local SparesOfThread spares;

bool is_worth_keeping(const Record& record) {
  return record.end_user.capacity() <= kTextBytesKept &&
         record.model_asked.capacity() <= kTextBytesKept &&
         record.model.capacity() <= kTextBytesKept;
}

}  // namespace

/// What the submitting threads touch is apart from what the writer touches, by cache lines.
struct Recorder::State {
  State(RecordStore& records, Options chosen) : store(records), options(chosen) {}

  RecordStore& store;
  const Options options;

  alignas(64) SheetStack submitted;
  /// Submitted and neither written nor lost; never above queue_records_max.
  alignas(64) std::atomic<std::size_t> waiting{0};
  std::atomic<std::int64_t> lost{0};
  alignas(64) std::atomic<std::int64_t> written{0};
  /// Blank sheets on their way back, and how many of them at most.
  alignas(64) SheetStack blank;
  std::atomic<std::size_t> blank_count{0};

  std::mutex mutex;
  std::condition_variable wake_writer;
  std::condition_variable round_done;
  /// Guarded by `mutex`: flushes asked for, the highest of them that a round has served, and
  /// whether that round left something unwritten.
  std::uint64_t flushes_asked = 0;
  std::uint64_t flushes_served = 0;
  bool last_round_failed = false;
  bool stopping = false;

  // The writer's own.
  std::vector<std::unique_ptr<Sheet>> pending;  ///< Taken, not yet written.
  std::vector<Record> batch;
  std::thread writer;

  void run();
  Result<void> write_pending();
  void give_back(std::size_t count);
};

/// Writes `pending` from its front, a batch at a time, until it is empty or the store fails.
Result<void> Recorder::State::write_pending() {
  std::size_t begin = 0;
  Result<void> result;
  while (begin < pending.size()) {
    const std::size_t count = std::min(options.batch_records_max, pending.size() - begin);
    batch.clear();
    for (std::size_t i = 0; i < count; ++i) batch.push_back(std::move(pending[begin + i]->record));
    result = store.append(batch);
    for (std::size_t i = 0; i < count; ++i) pending[begin + i]->record = std::move(batch[i]);
    if (!result) break;
    begin += count;
    written.fetch_add(static_cast<std::int64_t>(count), std::memory_order_relaxed);
    waiting.fetch_sub(count, std::memory_order_relaxed);
  }
  give_back(begin);
  return result;
}

/// The first `count` of `pending` are written: they become blank.
void Recorder::State::give_back(std::size_t count) {
  static const Record kBlank;
  const auto end = pending.begin() + static_cast<std::ptrdiff_t>(count);
  Sheet* top = nullptr;
  Sheet* bottom = nullptr;
  std::size_t kept = blank_count.load(std::memory_order_relaxed);
  for (auto place = pending.begin(); place != end && kept < kSpareMax; ++place) {
    if (!is_worth_keeping((*place)->record)) continue;
    (*place)->record = kBlank;  // Copied, since that leaves the texts their memory.
    (*place)->below = top;
    top = place->release();
    if (bottom == nullptr) bottom = top;
    ++kept;
  }
  pending.erase(pending.begin(), end);
  if (top == nullptr) return;
  blank_count.store(kept, std::memory_order_relaxed);
  blank.push_chain(top, bottom);
}

void Recorder::State::run() {
  std::chrono::milliseconds pause = options.flush_every;
  std::unique_lock lock(mutex);
  while (true) {
    wake_writer.wait_for(lock, pause, [&] { return stopping || flushes_asked != flushes_served; });
    const std::uint64_t serving = flushes_asked;
    const bool last_round = stopping;
    lock.unlock();

    take_in_order(submitted, pending);
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

std::unique_ptr<Sheet> Recorder::blank() {
  if (spares.top == nullptr) {
    spares.top = state_->blank.take_all();
    // Roughly: what comes back meanwhile may be forgotten, and is then not kept.
    if (spares.top != nullptr) state_->blank_count.store(0, std::memory_order_relaxed);
  }
  if (spares.top == nullptr) return std::make_unique<Sheet>();
  std::unique_ptr<Sheet> sheet(spares.top);
  spares.top = std::exchange(sheet->below, nullptr);
  return sheet;
}

void Recorder::submit(Record record) {
  auto sheet = blank();
  sheet->record = std::move(record);
  submit(std::move(sheet));
}

void Recorder::submit(std::unique_ptr<Sheet> sheet) {
  // Counted before it is queued, so that the bound holds whatever threads do in between.
  const std::size_t before = state_->waiting.fetch_add(1, std::memory_order_relaxed);
  if (before >= state_->options.queue_records_max) {
    state_->waiting.fetch_sub(1, std::memory_order_relaxed);
    state_->lost.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  state_->submitted.push(std::move(sheet));
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
