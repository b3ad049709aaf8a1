#pragma once

/// A record store that looks at what passes: on the recorder's thread, so that judging what a
/// request cost takes nothing from any request.

#include <vector>

#include "alert/inbox.h"
#include "alert/spend_history.h"
#include "record/record.h"

namespace claviger::alert {

/// What is worth knowing of a record; nothing where it cost nothing.
std::optional<Spend> spend_of(const record::Record& record);

/// Threads: as a RecordStore; learn() before the recorder begins.
class WatchedRecords final : public record::RecordStore {
 public:
  /// A crash can take what was found unusual; it is found again where it is not older.
  static constexpr std::chrono::minutes kJudgedAgainWithin{10};

  /// Both outlive this.
  WatchedRecords(record::RecordStore& store, Inbox& inbox) : store_(store), inbox_(inbox) {}

  /// From how far back it is learnt what requests usually cost, from how many of each owner, and
  /// of how many owners: a start must not wait for it.
  static constexpr std::chrono::hours kLearntFor{24 * 8};
  static constexpr int kLearntPerOwner = 300;
  static constexpr std::size_t kOwnersLearntMax = 64;

  /// What the store has of these owners' last days. Where it does not answer, it is learnt anew.
  void learn_from_store(const std::vector<OwnerId>& owners, WallTime now);
  /// Oldest first.
  void learn(const std::vector<Spend>& spends, WallTime now);

  record::Result<void> append(const std::vector<record::Record>& records) override;
  record::Result<record::Record> find(RequestId id) override { return store_.find(id); }
  record::Result<std::vector<record::Record>> list(const record::Query& query) override {
    return store_.list(query);
  }
  record::Result<std::vector<record::UsageRow>> usage(record::Grouping by,
                                                      const record::Query& query) override {
    return store_.usage(by, query);
  }

 private:
  void judge(const Spend& spend);

  record::RecordStore& store_;
  Inbox& inbox_;
  SpendHistory history_;
  std::vector<Finding> found_;
};

}  // namespace claviger::alert
