#include "store/sqlite/record_store.h"

#include <algorithm>

#include "store/sqlite/sql.h"

namespace claviger::store {
namespace {

using record::CostState;
using record::Grouping;
using record::Record;
using record::RecordError;
using record::Result;
using record::UsageRow;

constexpr EnumWords<CostState, 4> kCostStates{{{{CostState::none, "none"},
                                                {CostState::billed, "billed"},
                                                {CostState::estimated, "estimated"},
                                                {CostState::quarantined, "quarantined"}}}};

/// The one list of columns: insert() binds and read_record() reads in this order.
constexpr std::string_view kColumns =
    "id, started_at, owner_id, app_id, key_id, credential_id, end_user, operation, model_asked,"
    " model, provider_request_id, streamed, clamped, caller_left, attempts, status,"
    " provider_status, error_code, at_fault, finish_reason, input_tokens, cached_input_tokens,"
    " cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens,"
    " stated_cost_nanos, held_nanos, cost_nanos, cost_state, admitted_us, connected_us, sent_us,"
    " first_byte_us, total_us, overhead_us, request_bytes, answer_bytes";

constexpr std::string_view kFailed = "(status >= 400 OR error_code <> '' OR at_fault <> '')";

DbResult<std::int64_t> insert(Database& database, const Record& r) {
  static const std::string kSql = [] {
    std::string sql = "INSERT INTO requests (" + std::string(kColumns) + ") VALUES (?";
    for (auto i = std::count(kColumns.begin(), kColumns.end(), ','); i > 0; --i) sql += ", ?";
    return sql + ") ON CONFLICT (id) DO NOTHING";
  }();
  return change(database, kSql, Blob{to_blob(r.id)}, r.started_at, r.owner, r.app, r.key,
                r.credential, r.end_user, r.operation, r.model_asked, r.model,
                r.provider_request_id, r.streamed, r.clamped, r.caller_left, r.attempts, r.status,
                r.provider_status, r.error_code, r.at_fault, r.finish_reason, r.usage.input_tokens,
                r.usage.cached_input_tokens, r.usage.cache_write_tokens,
                r.usage.cache_write_1h_tokens, r.usage.output_tokens, r.usage.reasoning_tokens,
                r.usage.stated_cost, r.held, r.cost, kCostStates.of(r.cost_state),
                r.times.admitted_us, r.times.connected_us, r.times.sent_us, r.times.first_byte_us,
                r.times.total_us, r.times.overhead_us, r.request_bytes, r.answer_bytes);
}

/// Columns from left to right, so that their order is written down once, in kColumns.
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

/// The conditions that a query sets, in SQL. Only parts of fixed text are put together (at
/// most sixteen combinations, each a statement of its own, so that each finds its index).
std::string conditions(const record::Query& query) {
  std::string sql = " WHERE 1";
  if (query.failed_only) sql.append(" AND ").append(kFailed);
  if (query.since) sql += " AND id >= ? AND started_at >= ?";
  if (query.owner) sql += " AND owner_id = ?";
  if (query.key) sql += " AND key_id = ?";
  return sql;
}

void bind_conditions(Query& bound, const record::Query& query) {
  // An id begins with the millisecond in which its request started.
  if (query.since) {
    bind_one(bound, Blob{to_blob(oldest_request_id(*query.since))});
    bind_one(bound, *query.since);
  }
  if (query.owner) bind_one(bound, *query.owner);
  if (query.key) bind_one(bound, *query.key);
}

/// What the records of one group have in common (what people call it), as SQL over `requests`.
std::string_view group_expression(Grouping by) {
  switch (by) {
    case Grouping::model:
      return "model";
    case Grouping::app:
      return "ifnull((SELECT name FROM apps WHERE id = app_id), '')";
    case Grouping::owner:
      return "ifnull((SELECT name FROM owners WHERE id = owner_id), '')";
    case Grouping::credential:
      return "ifnull((SELECT name FROM credentials WHERE id = credential_id), '')";
    case Grouping::user:
      return "end_user";
    case Grouping::day:
      return "date(started_at / 1000000, 'unixepoch')";
  }
  return "''";
}

/// Two rows of one name (an owner removed, another made of the same name) stay two groups.
std::string_view group_key(Grouping by) {
  switch (by) {
    case Grouping::app:
      return "app_id";
    case Grouping::owner:
      return "owner_id";
    case Grouping::credential:
      return "credential_id";
    case Grouping::model:
    case Grouping::user:
    case Grouping::day:
      break;
  }
  return "1";
}

/// A count as it goes into a sum: a provider's absurd number must not overflow the sum of an
/// honest rest, which SQLite would answer with an error.
std::string summed(std::string_view column) {
  return "min(max(" + std::string(column) + ", 0), 1000000000000)";
}

std::string usage_sql(Grouping by, const record::Query& query) {
  const std::string input = summed("input_tokens") + " + " + summed("cached_input_tokens") + " + " +
                            summed("cache_write_tokens") + " + " + summed("cache_write_1h_tokens");
  // Money in two sums, whole dollars and the rest, for the same reason; exact both ways.
  return "SELECT " + std::string(group_expression(by)) + " AS name, count(*), sum(" +
         std::string(kFailed) + "), sum(" + input + "), sum(" + summed("output_tokens") + ")," +
         " sum(cost_nanos / 1000000000) AS dollars, sum(cost_nanos % 1000000000) AS nanos" +
         " FROM requests" + conditions(query) + " GROUP BY name, " + std::string(group_key(by)) +
         " ORDER BY " +
         (by == Grouping::day
              ? "name DESC"
              : "dollars + nanos / 1000000000 DESC, nanos % 1000000000 DESC, name") +
         " LIMIT " + std::to_string(record::usage_groups_max);
}

NanoUsd money_of(std::int64_t whole_dollars, std::int64_t nanos) {
  std::int64_t total = 0;
  if (__builtin_mul_overflow(whole_dollars, std::int64_t{1'000'000'000}, &total)) {
    return NanoUsd::max();
  }
  return NanoUsd(total) + NanoUsd(nanos);
}

}  // namespace

Result<void> SqliteRecordStore::append(const std::vector<Record>& records) {
  const auto appended = database_.transaction([&]() -> DbResult<void> {
    for (const Record& record : records) {
      if (auto inserted = insert(database_, record); !inserted) {
        return std::unexpected(inserted.error());
      }
    }
    return {};
  });
  if (!appended) return std::unexpected(RecordError::unavailable);
  return {};
}

Result<Record> SqliteRecordStore::find(RequestId id) {
  static const std::string kSql = "SELECT " + std::string(kColumns) + " FROM requests WHERE id = ?";
  auto found = select_one<Record>(database_, kSql, read_record, Blob{to_blob(id)});
  if (!found) return std::unexpected(RecordError::unavailable);
  if (!*found) return std::unexpected(RecordError::not_found);
  return std::move(**found);
}

Result<std::vector<Record>> SqliteRecordStore::list(const record::Query& query) {
  const auto statement = database_.prepare("SELECT " + std::string(kColumns) + " FROM requests" +
                                           conditions(query) + " ORDER BY id DESC LIMIT ?");
  if (!statement) return std::unexpected(RecordError::unavailable);
  Query bound(**statement);
  bind_conditions(bound, query);
  bound.bind(std::int64_t{std::clamp(query.limit, 1, record::records_listed_max)});
  auto records = read_all<Record>(database_, bound, read_record);
  if (!records) return std::unexpected(RecordError::unavailable);
  return std::move(*records);
}

Result<std::vector<UsageRow>> SqliteRecordStore::usage(Grouping by, const record::Query& query) {
  const auto statement = database_.prepare(usage_sql(by, query));
  if (!statement) return std::unexpected(RecordError::unavailable);
  Query bound(**statement);
  bind_conditions(bound, query);
  auto rows = read_all<UsageRow>(database_, bound, [](const Query& row) {
    return std::optional(UsageRow{.group = row.text(0),
                                  .requests = row.integer(1),
                                  .failed = row.integer(2),
                                  .input_tokens = row.integer(3),
                                  .output_tokens = row.integer(4),
                                  .cost = money_of(row.integer(5), row.integer(6))});
  });
  if (!rows) return std::unexpected(RecordError::unavailable);
  return std::move(*rows);
}

}  // namespace claviger::store
