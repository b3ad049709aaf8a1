#pragma once

/// Usage in SQLite: summed up per hour as records come, so that asking for a year of it does
/// not read a year of records. Part of record_store.h.

#include <span>

#include "record/record.h"
#include "store/sqlite/database.h"

namespace claviger::store {

/// Adds `records` to the sums of their hours; within append's transaction.
DbResult<void> add_usage(Database& database, std::span<const record::Record* const> records);

}  // namespace claviger::store
