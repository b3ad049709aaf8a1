#pragma once

/// Records as versions before 0007_record_blocks kept them: a row each, in the table `requests`.

#include "store/sqlite/database.h"

namespace claviger::store {

/// Moves all of them into blocks and drops the table, where it is still there; within the step's
/// transaction.
DbResult<void> move_request_rows(Database& database);

}  // namespace claviger::store
