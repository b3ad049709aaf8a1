#include "budget/journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <iterator>
#include <utility>

#include "base/quiet_thread.h"

namespace claviger::budget {
namespace {

/// A sleeping writer costs the first request after the pause a system call; a waking one costs
/// this many looks per second for nothing. So it goes on looking for a while.
constexpr int kQuietGroupsBeforeSleep = 200;
/// After a failed attempt to make a file: a full disk is not asked two hundred times a second.
constexpr int kGroupsBetweenAttempts = 100;
/// Below this many records in a group, page faults are too rare to be worth a system call.
constexpr std::uint64_t kSlotsPerPage = 4096 / kSlotBytes;
/// 2 MiB a group.
constexpr std::uint64_t kPreparedMax = 16'384;

}  // namespace

std::chrono::milliseconds pause_after_group(const JournalConfig& config, std::uint64_t records) {
  if (records < config.busy_records) return *config.group_every;
  return std::max(*config.group_every, config.busy_group_every);
}

Journal::Journal(JournalConfig config, std::uint64_t first_segment)
    : config_(std::move(config)),
      first_segment_(first_segment),
      slots_(std::bit_ceil(std::clamp<std::uint64_t>(config_.slots_per_segment, 16, 1u << 24))),
      shift_(static_cast<unsigned>(std::countr_zero(slots_))) {}

FileResult<std::unique_ptr<Journal>> Journal::open(JournalConfig config,
                                                   std::uint64_t first_segment) {
  std::unique_ptr<Journal> journal(new Journal(std::move(config), first_segment));
  {
    const std::scoped_lock lock(journal->files_mutex_);
    if (auto added = journal->add_segment(); !added) return std::unexpected(added.error());
  }
  if (journal->config_.group_every) {
    journal->writer_ = quiet_thread("journal", [&journal = *journal] { journal.run(); });
  }
  return journal;
}

Journal::~Journal() {
  if (!finished_) finish();
  for (; segments_begin_ < segments_end_; ++segments_begin_) {
    delete segments_[segments_begin_ % kSegmentsMax].load();
  }
}

JournalFile* Journal::segment_of(std::uint64_t sequence) const {
  return segments_[(sequence >> shift_) % kSegmentsMax].load(std::memory_order_acquire);
}

JournalPosition Journal::position_of(std::uint64_t sequence) const {
  return {first_segment_ + (sequence >> shift_), sequence & (slots_ - 1)};
}

JournalPosition Journal::end() {
  const std::scoped_lock lock(files_mutex_);
  return {first_segment_ + segments_end_, 0};
}

bool Journal::claim_room(std::uint32_t records) {
  if (failed_.load(std::memory_order_relaxed)) return false;
  std::int64_t room = room_.load(std::memory_order_relaxed);
  do {
    if (room < records) {
      wake_writer();
      return false;
    }
    // Acquire: whoever was given room sees the segment that it came with.
  } while (!room_.compare_exchange_weak(room, room - records, std::memory_order_acquire,
                                        std::memory_order_relaxed));
  return true;
}

void Journal::give_back_room(std::uint32_t records) {
  room_.fetch_add(records, std::memory_order_release);
}

std::uint64_t Journal::append(const LogRecord& record) {
  // Sequentially consistent, like the look at idle_ and the writer's looks at both: at least
  // one of the two sees the other.
  const std::uint64_t sequence = next_.fetch_add(1, std::memory_order_seq_cst);
  const JournalPosition place = position_of(sequence);
  write_slot(segment_of(sequence)->slot(place.slot), place, record);
  if (idle_.load(std::memory_order_seq_cst)) wake_writer();
  return sequence + 1;
}

std::uint64_t Journal::written_up_to() {
  const std::scoped_lock lock(written_mutex_);
  const std::uint64_t next = next_.load(std::memory_order_acquire);
  while (written_ < next) {
    const JournalFile* const segment = segment_of(written_);
    if (segment == nullptr || !is_written(segment->slot(written_ & (slots_ - 1)))) break;
    ++written_;
  }
  return written_;
}

std::optional<LogRecord> Journal::read(std::uint64_t sequence) {
  const JournalPosition place = position_of(sequence);
  const auto record = read_slot(segment_of(sequence)->slot(place.slot), place);
  if (!record) return std::nullopt;
  return *record;
}

void Journal::release_before(std::uint64_t sequence) {
  const std::scoped_lock lock(files_mutex_);
  for (; segments_begin_ < (sequence >> shift_); ++segments_begin_) {
    std::unique_ptr<JournalFile> done(
        segments_[segments_begin_ % kSegmentsMax].exchange(nullptr, std::memory_order_acq_rel));
    // What cannot be removed now is removed at the next start, being folded already.
    static_cast<void>(remove_segment(config_.folder, done->segment()).has_value());
  }
  // In the store means on disk.
  if (durable_.load(std::memory_order_relaxed) < sequence) {
    durable_.store(sequence, std::memory_order_release);
  }
  if (JournalFile* const current = segment_of(sequence)) {
    current->release_memory_before(sequence & (slots_ - 1));
  }
}

FileResult<void> Journal::add_segment() {
  if (segments_end_ - segments_begin_ >= std::min(config_.segments_max, kSegmentsMax)) {
    return std::unexpected(fmt::format(
        "the journal in {} has grown to {} files that are not in the database yet; check that "
        "the database can be written",
        config_.folder, segments_end_ - segments_begin_));
  }
  auto file = JournalFile::create(config_.folder,
                                  {.segment = first_segment_ + segments_end_, .slots = slots_});
  if (!file) return std::unexpected(file.error());
  segments_[segments_end_ % kSegmentsMax].store(file->release(), std::memory_order_release);
  ++segments_end_;
  room_.fetch_add(static_cast<std::int64_t>(slots_), std::memory_order_release);
  return {};
}

void Journal::make_room_where_scarce() {
  if (groups_until_attempt_ > 0) {
    --groups_until_attempt_;
    return;
  }
  while (room_.load(std::memory_order_relaxed) < static_cast<std::int64_t>(low_room())) {
    const auto added = add_segment();
    const std::scoped_lock lock(trouble_mutex_);
    if (!added) {
      trouble_ = added.error();
      if (config_.group_every) groups_until_attempt_ = kGroupsBetweenAttempts;
      return;
    }
    if (!failed_) trouble_.clear();
  }
}

void Journal::sync_written() {
  const std::uint64_t written = written_up_to();
  const std::uint64_t durable = durable_.load(std::memory_order_relaxed);
  if (durable >= written || failed_) return;
  FileResult<void> synced;
  for (std::uint64_t segment = std::max(durable >> shift_, segments_begin_);
       synced && segment <= (written - 1) >> shift_; ++segment) {
    synced = segments_[segment % kSegmentsMax].load(std::memory_order_relaxed)->sync();
  }
  if (synced) {
    durable_.store(written, std::memory_order_release);
  } else {
    fail(synced.error());
  }
}

void Journal::sync_now() {
  {
    const std::scoped_lock lock(files_mutex_);
    if (finished_) return;
    sync_written();
    if (!failed_) make_room_where_scarce();
  }
  wake_sleepers();
}

void Journal::when_durable(std::uint64_t sequence, std::shared_ptr<Wakeup> wakeup) {
  {
    const std::scoped_lock lock(sleepers_mutex_);
    sleepers_.push_back({sequence, std::move(wakeup)});
  }
  if (config_.group_every) {
    if (idle_.load(std::memory_order_seq_cst)) wake_writer();
    // It may have become durable, and nobody else may come to say so.
    if (sequence <= durable_up_to() || failed_) wake_sleepers();
  } else {
    sync_now();
  }
}

void Journal::wake_sleepers() {
  std::vector<Sleeper> awake;
  {
    const std::scoped_lock lock(sleepers_mutex_);
    if (sleepers_.empty()) return;
    const std::uint64_t durable = durable_up_to();
    const bool all = failed_ || finished_;
    const auto first =
        std::partition(sleepers_.begin(), sleepers_.end(),
                       [&](const Sleeper& sleeper) { return !all && sleeper.sequence > durable; });
    std::move(first, sleepers_.end(), std::back_inserter(awake));
    sleepers_.erase(first, sleepers_.end());
  }
  for (const Sleeper& sleeper : awake) Wakeup::call(sleeper.wakeup);
}

void Journal::fail(std::string why) {
  const std::scoped_lock lock(trouble_mutex_);
  if (failed_.exchange(true)) return;
  trouble_ = fmt::format(
      "{}. What was spent is kept as far as the disk took it; new requests are refused until "
      "the server is started again on a sound disk",
      why);
}

std::optional<std::string> Journal::trouble() const {
  const std::scoped_lock lock(trouble_mutex_);
  if (trouble_.empty()) return std::nullopt;
  return trouble_;
}

void Journal::finish() {
  stop();
  {
    const std::scoped_lock lock(files_mutex_);
    sync_written();
    finished_ = true;
  }
  wake_sleepers();
}

void Journal::abandon() {
  stop();
  {
    const std::scoped_lock lock(files_mutex_);
    finished_ = true;
  }
  wake_sleepers();
}

void Journal::stop() {
  {
    const std::scoped_lock lock(wake_mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  if (writer_.joinable()) writer_.join();
}

void Journal::wake_writer() {
  if (!idle_.exchange(false, std::memory_order_seq_cst)) return;
  const std::scoped_lock lock(wake_mutex_);
  wake_.notify_one();
}

void Journal::prepare_memory(std::uint64_t records) {
  const std::uint64_t first = next_.load(std::memory_order_relaxed);
  const std::uint64_t last = first + 2 * std::min(records, kPreparedMax);
  const std::scoped_lock lock(files_mutex_);
  for (std::uint64_t segment = first >> shift_; segment <= last >> shift_; ++segment) {
    if (segment >= segments_end_ || segment < segments_begin_) break;
    const std::uint64_t begin = segment << shift_;
    segments_[segment % kSegmentsMax]
        .load(std::memory_order_relaxed)
        ->prepare_memory(std::max(first, begin) - begin, std::min(last - begin, slots_));
  }
}

void Journal::run() {
  int quiet = 0;
  std::uint64_t before = 0;
  std::unique_lock lock(wake_mutex_);
  while (!stopping_) {
    const std::uint64_t next = next_.load(std::memory_order_relaxed);
    lock.unlock();
    sync_now();
    const std::uint64_t records = next_.load(std::memory_order_relaxed) - before;
    if (records > kSlotsPerPage) prepare_memory(records);
    before += records;
    lock.lock();
    quiet = durable_up_to() == next ? quiet + 1 : 0;
    if (quiet < kQuietGroupsBeforeSleep) {
      wake_.wait_for(lock, pause_after_group(config_, records), [this] { return stopping_; });
      continue;
    }
    idle_.store(true, std::memory_order_seq_cst);
    if (next_.load(std::memory_order_seq_cst) == next) {
      wake_.wait(lock, [this] { return stopping_ || !idle_; });
    }
    idle_ = false;
    quiet = 0;
  }
}

}  // namespace claviger::budget
