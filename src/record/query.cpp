#include "record/record.h"

namespace claviger::record {

bool has_failed(const Record& record) {
  return record.status >= 400 || !record.error_code.empty() || !record.at_fault.empty();
}

bool matches(const Query& query, const Record& record) {
  return (!query.failed_only || has_failed(record)) &&
         (!query.since || record.started_at >= *query.since) &&
         (!query.owner || record.owner == *query.owner) && (!query.key || record.key == *query.key);
}

}  // namespace claviger::record
