#pragma once

/// Records of requests in SQLite; see record/record.h for the promises. They lie in blocks of
/// many (store/record_block.h), with what each query needs to find its blocks beside them, and
/// usage is summed up per hour as records come.
///
/// The writer's connection may be opened with Durability::process_crash: a power cut can then
/// take the last records with it, never the file. What a request cost is in the ledger's
/// journal before its record exists, so no money hangs on it, and a batch need not wait for
/// the disk.

#include <span>

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
  /// The last append failed, or none was made yet: part of the next may be there already.
  bool may_be_repeated_ = true;
};

enum class Repeated : std::uint8_t { never, perhaps };

/// The part of append() inside its transaction. `perhaps`: those that are there already are
/// looked for and left alone, which costs reading their neighbours.
DbResult<void> append_records(Database& database, std::span<const record::Record> records,
                              Repeated repeated);

}  // namespace claviger::store
