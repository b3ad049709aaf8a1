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

  /// What the store has of the last days, oldest first.
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
