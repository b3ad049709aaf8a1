#include "store/sqlite/request_rows.h"

#include <vector>

#include "store/record_block.h"
#include "store/sqlite/record_store.h"
#include "store/sqlite/sql.h"

namespace claviger::store {
namespace {

using record::CostState;
using record::Record;

constexpr EnumWords<CostState, 4> kCostStates{{{{CostState::none, "none"},
                                                {CostState::billed, "billed"},
                                                {CostState::estimated, "estimated"},
                                                {CostState::quarantined, "quarantined"}}}};

/// In the order in which read_record() reads them.
constexpr std::string_view kColumns =
    "id, started_at, owner_id, app_id, key_id, credential_id, end_user, operation, model_asked,"
    " model, provider_request_id, streamed, clamped, caller_left, attempts, status,"
    " provider_status, error_code, at_fault, finish_reason, input_tokens, cached_input_tokens,"
    " cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens,"
    " stated_cost_nanos, held_nanos, cost_nanos, cost_state, admitted_us, connected_us, sent_us,"
    " first_byte_us, total_us, overhead_us, request_bytes, answer_bytes";

/// Columns from left to right, so that their order stands once, in kColumns.
class Columns {
 public:
  explicit Columns(const Query& row) : row_(row) {}
  std::int64_t integer() { return row_.integer(next_++); }
  int small() { return static_cast<int>(integer()); }
  bool flag() { return integer() != 0; }
  std::string text() { return row_.text(next_++); }
  std::string blob() { return row_.blob(next_++); }
  NanoUsd money() { return NanoUsd(integer()); }
  std::optional<NanoUsd> money_or_null() {
    const auto nanos = integer_or_null(row_, next_++);
    return nanos ? std::optional(NanoUsd(*nanos)) : std::nullopt;
  }

 private:
  const Query& row_;
  int next_ = 0;
};

std::optional<Record> read_record(const Query& row) {
  Columns in(row);
  Record r;
  const auto id = request_id_of(in.blob());
  r.started_at = from_unix_micros(in.integer());
  r.owner = OwnerId{in.integer()};
  r.app = AppId{in.integer()};
  r.key = VirtualKeyId{in.integer()};
  r.credential = CredentialId{in.integer()};
  r.end_user = in.text();
  r.operation = in.text();
  r.model_asked = in.text();
  r.model = in.text();
  r.provider_request_id = in.text();
  r.streamed = in.flag();
  r.clamped = in.flag();
  r.caller_left = in.flag();
  r.attempts = static_cast<std::uint32_t>(in.integer());
  r.status = in.small();
  r.provider_status = in.small();
  r.error_code = in.text();
  r.at_fault = in.text();
  r.finish_reason = in.text();
  r.usage.input_tokens = in.integer();
  r.usage.cached_input_tokens = in.integer();
  r.usage.cache_write_tokens = in.integer();
  r.usage.cache_write_1h_tokens = in.integer();
  r.usage.output_tokens = in.integer();
  r.usage.reasoning_tokens = in.integer();
  r.usage.stated_cost = in.money_or_null();
  r.held = in.money();
  r.cost = in.money();
  const auto cost_state = kCostStates.parse(in.text());
  r.times.admitted_us = in.integer();
  r.times.connected_us = in.integer();
  r.times.sent_us = in.integer();
  r.times.first_byte_us = in.integer();
  r.times.total_us = in.integer();
  r.times.overhead_us = in.integer();
  r.request_bytes = in.integer();
  r.answer_bytes = in.integer();
  if (!id || !cost_state) return std::nullopt;
  r.id = *id;
  r.cost_state = *cost_state;
  return r;
}

}  // namespace

DbResult<void> move_request_rows(Database& database) {
  static const std::string kSql = "SELECT " + std::string(kColumns) +
                                  " FROM requests WHERE id > ? ORDER BY id LIMIT " +
                                  std::to_string(block_items_max);
  const auto tables = select_one<std::int64_t>(
      database, "SELECT count(*) FROM sqlite_schema WHERE name = 'requests'", read_integer);
  if (!tables) return std::unexpected(tables.error());
  if (tables->value_or(0) == 0) return {};
  for (std::string after; true;) {
    const auto records = select<Record>(database, kSql, read_record, Blob{after});
    if (!records) return std::unexpected(records.error());
    if (records->empty()) return database.execute("DROP TABLE requests");
    after = to_blob(records->back().id);
    if (auto moved = append_records(database, *records, Repeated::never); !moved) return moved;
  }
}

}  // namespace claviger::store
