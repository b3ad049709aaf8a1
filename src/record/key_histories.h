#pragma once

/// What each credential's key did last, as records tell it: whether it has worked, and what it was
/// refused for. A refusal means one thing of a key that answered an hour ago and another of one
/// that was typed in just now, and whoever looks after credentials wants to see which ones rest.
///
/// Filled on the recorder's thread, so that a request that succeeds pays nothing for it; read where
/// a request has failed.

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "record/record.h"

namespace claviger::record {

struct KeyHistory {
  CredentialId credential;
  std::optional<WallTime> worked_at;  ///< When a request began that it answered last.
  std::optional<WallTime> failed_at;  ///< When one began for which key or account were at fault.
  std::string failure;                ///< The cause of that; empty where there was none.
  std::int64_t failures_in_a_row = 0;
  friend bool operator==(const KeyHistory&, const KeyHistory&) = default;
};

/// Threads: as a RecordStore: the recorder's thread and the control thread each have their own.
class KeyHistoryStore {
 public:
  virtual ~KeyHistoryStore() = default;
  /// Inserts or replaces, all or none. Errors: unavailable.
  virtual Result<void> put(const std::vector<KeyHistory>& histories) = 0;
  virtual Result<std::vector<KeyHistory>> all() = 0;
  /// Does nothing where there is none. Errors: unavailable.
  virtual Result<void> remove(CredentialId credential) = 0;
};

/// Threads: any method, from any thread; a lock that is held for microseconds, and never by a
/// request that succeeds.
class KeyHistories {
 public:
  static constexpr std::size_t kCredentialsMax = 65'536;  ///< Beyond it, new ones are not kept.
  /// A success says nothing new before so much time has passed since the last one that was stored.
  static constexpr std::chrono::minutes kStoredEvery{5};

  void learn(std::vector<KeyHistory> histories);
  /// Takes in what was recorded, and returns what is worth storing of it.
  std::vector<KeyHistory> see(const std::vector<Record>& records);
  std::optional<KeyHistory> of(CredentialId credential) const;
  /// The key was replaced or taken away: what requests met that began before `now` is another's.
  void forget(CredentialId credential, WallTime now);

 private:
  struct Kept {
    KeyHistory history;
    std::optional<WallTime> stored_worked_at;
    std::optional<WallTime> begins_at;
  };
  /// Whether it is worth storing now.
  static bool see(const Record& record, Kept& kept);

  mutable std::mutex mutex_;
  std::unordered_map<std::int64_t, Kept> kept_;
};

/// A store that shows every batch which it has taken to the histories, and keeps them.
class KeyWatchedRecords final : public RecordStore {
 public:
  /// All outlive this.
  KeyWatchedRecords(RecordStore& store, KeyHistories& histories, KeyHistoryStore& kept)
      : store_(store), histories_(histories), kept_(kept) {}
  Result<void> append(const std::vector<Record>& records) override;
  Result<Record> find(RequestId id) override { return store_.find(id); }
  Result<std::vector<Record>> list(const Query& query) override { return store_.list(query); }
  Result<std::vector<UsageRow>> usage(Grouping by, const Query& query) override {
    return store_.usage(by, query);
  }

 private:
  RecordStore& store_;
  KeyHistories& histories_;
  KeyHistoryStore& kept_;
  /// What the store did not take: it comes again with the next batch.
  std::vector<KeyHistory> unsaved_;
};

}  // namespace claviger::record
