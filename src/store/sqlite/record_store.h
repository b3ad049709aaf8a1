#pragma once

/// Records of requests in SQLite; see record/record.h for the promises.
///
/// The writer's connection may be opened with Durability::process_crash: a power cut can then
/// take the last records with it, never the file. What a request cost is in the ledger's
/// journal before its record exists, so no money hangs on it, and a batch need not wait for
/// the disk.

#include "record/record.h"
#include "store/sqlite/database.h"

namespace claviger::store {

class SqliteRecordStore final : public record::RecordStore {
 public:
  /// `database` outlives this and is migrated.
  explicit SqliteRecordStore(Database& database) : database_(database) {}

  record::Result<void> append(const std::vector<record::Record>& records) override;
  record::Result<record::Record> find(RequestId id) override;
  record::Result<std::vector<record::Record>> list(const record::Query& query) override;
  record::Result<std::vector<record::UsageRow>> usage(record::Grouping by,
                                                      const record::Query& query) override;

 private:
  Database& database_;
};

}  // namespace claviger::store
