#include "store/sqlite/alert_store.h"

#include <algorithm>

#include "alert/watched_records.h"
#include "store/sqlite/record_blocks.h"
#include "store/sqlite/sql.h"

namespace claviger::store {
namespace {

using alert::Alert;
using alert::AlertStoreError;
using alert::Channel;
using alert::ChannelId;
using alert::ChannelKind;
using alert::Delivery;
using alert::DeliveryState;
using alert::DueDelivery;
using alert::PaceSample;
using alert::StoreResult;

constexpr EnumWords<ChannelKind, 2> kKinds{
    {{{ChannelKind::webhook, "webhook"}, {ChannelKind::mail, "mail"}}}};
constexpr EnumWords<DeliveryState, 3> kStates{{{{DeliveryState::waiting, "waiting"},
                                                {DeliveryState::delivered, "delivered"},
                                                {DeliveryState::dead, "dead"}}}};

#define CLAVIGER_ALERT_COLUMNS                                                   \
  "a.number, a.id, a.occasion, a.condition, a.owner_id, a.budget_id, a.summary," \
  " a.details, a.detected_at, a.acknowledged_at, a.acknowledged_by"
#define CLAVIGER_DELIVERY_COLUMNS \
  "d.alert_number, d.channel_id, d.state, d.attempts, d.next_at, d.delivered_at, d.trouble"
#define CLAVIGER_CHANNEL_COLUMNS "c.id, c.owner_id, c.kind, c.target, c.created_at"

std::unexpected<AlertStoreError> failed(const DatabaseError& error) {
  if (error.is_unique()) return std::unexpected(AlertStoreError::exists);
  if (error.is_no_such_row()) return std::unexpected(AlertStoreError::not_found);
  return std::unexpected(AlertStoreError::unavailable);
}

std::optional<Alert> read_alert_at(const Query& row, int first) {
  const auto condition = alert::parse_condition(row.text(first + 3));
  if (!condition) return std::nullopt;
  return Alert{.number = row.integer(first),
               .id = row.text(first + 1),
               .finding = {.condition = *condition,
                           .occasion = row.text(first + 2),
                           .owner = OwnerId{row.integer(first + 4)},
                           .budget = BudgetId{row.integer(first + 5)},
                           .summary = row.text(first + 6),
                           .details = row.text(first + 7)},
               .detected_at = from_unix_micros(row.integer(first + 8)),
               .acknowledged_at = time_or_null(row, first + 9),
               .acknowledged_by = row.text(first + 10)};
}
constexpr int kAlertColumns = 11;

std::optional<Alert> read_alert(const Query& row) {
  return read_alert_at(row, 0);
}

std::optional<Delivery> read_delivery_at(const Query& row, int first) {
  const auto state = kStates.parse(row.text(first + 2));
  if (!state) return std::nullopt;
  return Delivery{.alert_number = row.integer(first),
                  .channel = ChannelId{row.integer(first + 1)},
                  .state = *state,
                  .attempts = static_cast<int>(row.integer(first + 3)),
                  .next_at = from_unix_micros(row.integer(first + 4)),
                  .delivered_at = time_or_null(row, first + 5),
                  .trouble = row.text(first + 6)};
}
constexpr int kDeliveryColumns = 7;

std::optional<Channel> read_channel_at(const Query& row, int first) {
  const auto kind = kKinds.parse(row.text(first + 2));
  if (!kind) return std::nullopt;
  return Channel{.id = ChannelId{row.integer(first)},
                 .owner = OwnerId{row.integer(first + 1)},
                 .kind = *kind,
                 .target = row.text(first + 3),
                 .created_at = from_unix_micros(row.integer(first + 4))};
}

DbResult<std::int64_t> count(Database& database, std::string_view sql, std::int64_t value) {
  const auto found = select_one<std::int64_t>(database, sql, read_integer, value);
  if (!found) return std::unexpected(found.error());
  return found->value_or(0);
}

/// The alert's number. Errors: no such row.
DbResult<std::int64_t> number_of(Database& database, std::string_view id) {
  const auto found = select_one<std::int64_t>(database, "SELECT number FROM alerts WHERE id = ?",
                                              read_integer, id);
  if (!found) return std::unexpected(found.error());
  if (!*found) return std::unexpected(no_such_row(database));
  return **found;
}

}  // namespace

StoreResult<Channel> SqliteAlertStore::add_channel(Channel channel) {
  AlertStoreError refusal = AlertStoreError::unavailable;
  const auto added = database_.transaction([&]() -> DbResult<bool> {
    if (!channel.owner.is_none()) {
      const auto owners =
          count(database_, "SELECT count(*) FROM owners WHERE id = ? AND removed_at IS NULL",
                channel.owner.value);
      if (!owners) return std::unexpected(owners.error());
      if (*owners == 0) {
        refusal = AlertStoreError::not_found;
        return false;
      }
    }
    const auto there = count(
        database_, "SELECT count(*) FROM alert_channels WHERE owner_id = ? AND removed_at IS NULL",
        channel.owner.value);
    if (!there) return std::unexpected(there.error());
    if (*there >= static_cast<std::int64_t>(alert::kChannelsPerOwnerMax)) {
      refusal = AlertStoreError::too_many;
      return false;
    }
    const auto inserted =
        change(database_,
               "INSERT INTO alert_channels (owner_id, kind, target, created_at)"
               " VALUES (?, ?, ?, ?)",
               channel.owner, kKinds.of(channel.kind), channel.target, channel.created_at);
    if (!inserted) return std::unexpected(inserted.error());
    channel.id = ChannelId{database_.last_insert_id()};
    return true;
  });
  if (!added) return failed(added.error());
  if (!*added) return std::unexpected(refusal);
  return channel;
}

StoreResult<void> SqliteAlertStore::remove_channel(ChannelId id, WallTime now) {
  const auto removed = database_.transaction([&]() -> DbResult<void> {
    const auto changed = change(database_,
                                "UPDATE alert_channels SET removed_at = ?, target = ''"
                                " WHERE id = ? AND removed_at IS NULL",
                                now, id);
    if (!changed) return std::unexpected(changed.error());
    if (*changed == 0) return std::unexpected(no_such_row(database_));
    const auto dropped =
        change(database_,
               "DELETE FROM alert_deliveries WHERE channel_id = ? AND state <> 'delivered'", id);
    if (!dropped) return std::unexpected(dropped.error());
    return {};
  });
  if (!removed) return failed(removed.error());
  return {};
}

StoreResult<std::vector<Channel>> SqliteAlertStore::channels() {
  auto found = select<Channel>(database_,
                               "SELECT " CLAVIGER_CHANNEL_COLUMNS
                               " FROM alert_channels AS c WHERE removed_at IS NULL ORDER BY id",
                               [](const Query& row) { return read_channel_at(row, 0); });
  if (!found) return failed(found.error());
  return std::move(*found);
}

StoreResult<std::optional<Alert>> SqliteAlertStore::add(Alert alert) {
  const auto added = database_.transaction([&]() -> DbResult<bool> {
    const auto inserted =
        change(database_,
               "INSERT INTO alerts (id, occasion, condition, owner_id, budget_id, summary, details,"
               " detected_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (occasion) DO NOTHING",
               alert.id, alert.finding.occasion, alert::to_text(alert.finding.condition),
               alert.finding.owner, alert.finding.budget, alert.finding.summary,
               alert.finding.details, alert.detected_at);
    if (!inserted) return std::unexpected(inserted.error());
    if (*inserted == 0) return false;
    alert.number = database_.last_insert_id();
    const auto planned =
        change(database_,
               "INSERT INTO alert_deliveries (alert_number, channel_id, state, attempts, next_at)"
               " SELECT ?, id, 'waiting', 0, ? FROM alert_channels"
               " WHERE removed_at IS NULL AND owner_id IN (0, ?)",
               alert.number, alert.detected_at, alert.finding.owner);
    if (!planned) return std::unexpected(planned.error());
    return true;
  });
  if (!added) return failed(added.error());
  if (!*added) return std::optional<Alert>();
  return std::optional(std::move(alert));
}

StoreResult<Alert> SqliteAlertStore::find(std::string_view id) {
  auto found = select_one<Alert>(
      database_, "SELECT " CLAVIGER_ALERT_COLUMNS " FROM alerts AS a WHERE id = ?", read_alert, id);
  if (!found) return failed(found.error());
  if (!*found) return std::unexpected(AlertStoreError::not_found);
  return std::move(**found);
}

StoreResult<std::vector<Alert>> SqliteAlertStore::list(const alert::AlertQuery& query) {
  // A fixed set of texts, so that each is prepared once.
  std::string sql = "SELECT " CLAVIGER_ALERT_COLUMNS " FROM alerts AS a WHERE ? IN (-1, owner_id)";
  if (query.only_open) sql += " AND acknowledged_at IS NULL";
  if (query.only_dead) {
    sql += " AND number IN (SELECT alert_number FROM alert_deliveries WHERE state = 'dead')";
  }
  sql += " ORDER BY number DESC LIMIT ?";
  auto found = select<Alert>(database_, sql, read_alert, query.owner.value_or(OwnerId{-1}),
                             std::clamp(query.limit, 1, alert::kAlertsListedMax));
  if (!found) return failed(found.error());
  return std::move(*found);
}

StoreResult<std::vector<Alert>> SqliteAlertStore::list_after(std::int64_t number, int limit) {
  auto found = select<Alert>(database_,
                             "SELECT " CLAVIGER_ALERT_COLUMNS
                             " FROM alerts AS a WHERE number > ? ORDER BY number LIMIT ?",
                             read_alert, number, std::clamp(limit, 1, alert::kAlertsListedMax));
  if (!found) return failed(found.error());
  return std::move(*found);
}

StoreResult<std::int64_t> SqliteAlertStore::newest_number() {
  const auto found = select_one<std::int64_t>(
      database_, "SELECT coalesce(max(number), 0) FROM alerts", read_integer);
  if (!found) return failed(found.error());
  return found->value_or(0);
}

StoreResult<Alert> SqliteAlertStore::acknowledge(std::string_view id, std::string_view who,
                                                 WallTime now) {
  const auto changed = change(database_,
                              "UPDATE alerts SET acknowledged_at = ?, acknowledged_by = ?"
                              " WHERE id = ? AND acknowledged_at IS NULL",
                              now, who, id);
  if (!changed) return failed(changed.error());
  return find(id);
}

StoreResult<void> SqliteAlertStore::forget_before(WallTime before) {
  const auto dropped = change(database_,
                              "DELETE FROM alerts WHERE budget_id = 0 AND detected_at < ?"
                              " AND number NOT IN (SELECT alert_number FROM alert_deliveries"
                              "  WHERE state = 'waiting')",
                              before);
  if (!dropped) return failed(dropped.error());
  return {};
}

StoreResult<std::vector<Delivery>> SqliteAlertStore::deliveries(std::int64_t alert_number) {
  auto found = select<Delivery>(
      database_,
      "SELECT " CLAVIGER_DELIVERY_COLUMNS
      " FROM alert_deliveries AS d WHERE alert_number = ?"
      " ORDER BY channel_id",
      [](const Query& row) { return read_delivery_at(row, 0); }, alert_number);
  if (!found) return failed(found.error());
  return std::move(*found);
}

StoreResult<std::vector<DueDelivery>> SqliteAlertStore::due(WallTime now, int limit) {
  auto found = select<DueDelivery>(
      database_,
      "SELECT " CLAVIGER_DELIVERY_COLUMNS ", " CLAVIGER_ALERT_COLUMNS ", " CLAVIGER_CHANNEL_COLUMNS
      " FROM alert_deliveries AS d JOIN alerts AS a ON a.number = d.alert_number"
      " JOIN alert_channels AS c ON c.id = d.channel_id"
      " WHERE d.state = 'waiting' AND d.next_at <= ? AND c.removed_at IS NULL"
      " ORDER BY d.next_at, d.alert_number LIMIT ?",
      [](const Query& row) -> std::optional<DueDelivery> {
        auto delivery = read_delivery_at(row, 0);
        auto alert = read_alert_at(row, kDeliveryColumns);
        auto channel = read_channel_at(row, kDeliveryColumns + kAlertColumns);
        if (!delivery || !alert || !channel) return std::nullopt;
        return DueDelivery{.delivery = std::move(*delivery),
                           .alert = std::move(*alert),
                           .channel = std::move(*channel)};
      },
      now, limit);
  if (!found) return failed(found.error());
  return std::move(*found);
}

StoreResult<void> SqliteAlertStore::update(const Delivery& delivery) {
  const auto changed =
      change(database_,
             "UPDATE alert_deliveries SET state = ?, attempts = ?, next_at = ?, delivered_at = ?,"
             " trouble = ? WHERE alert_number = ? AND channel_id = ?",
             kStates.of(delivery.state), delivery.attempts, delivery.next_at, delivery.delivered_at,
             delivery.trouble, delivery.alert_number, delivery.channel);
  if (!changed) return failed(changed.error());
  if (*changed == 0) return std::unexpected(AlertStoreError::not_found);
  return {};
}

StoreResult<int> SqliteAlertStore::retry(std::string_view id, WallTime now) {
  const auto waiting = database_.transaction([&]() -> DbResult<std::int64_t> {
    const auto number = number_of(database_, id);
    if (!number) return number;
    return change(database_,
                  "UPDATE alert_deliveries SET state = 'waiting', attempts = 0, next_at = ?"
                  " WHERE alert_number = ? AND state <> 'delivered'",
                  now, *number);
  });
  if (!waiting) return failed(waiting.error());
  return static_cast<int>(*waiting);
}

StoreResult<void> SqliteAlertStore::keep(const std::vector<PaceSample>& samples, WallTime now) {
  const std::int64_t oldest =
      (unix_micros(now - alert::kSamplesKept)) /
      std::chrono::duration_cast<std::chrono::microseconds>(alert::kSlot).count();
  const auto kept = database_.transaction([&]() -> DbResult<void> {
    for (const PaceSample& sample : samples) {
      const auto put = change(database_,
                              "INSERT INTO alert_paces (budget_id, slot, period_start, spent_nanos)"
                              " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (budget_id, slot) DO UPDATE"
                              " SET period_start = ?3, spent_nanos = ?4",
                              sample.budget, sample.slot, sample.period_start, sample.spent);
      if (!put) return std::unexpected(put.error());
      const auto dropped =
          change(database_, "DELETE FROM alert_paces WHERE budget_id = ? AND slot < ?",
                 sample.budget, oldest);
      if (!dropped) return std::unexpected(dropped.error());
    }
    return {};
  });
  if (!kept) return failed(kept.error());
  return {};
}

StoreResult<std::vector<PaceSample>> SqliteAlertStore::samples() {
  auto found = select<PaceSample>(
      database_,
      "SELECT budget_id, slot, period_start, spent_nanos FROM alert_paces ORDER BY budget_id, slot",
      [](const Query& row) {
        return std::optional(PaceSample{.budget = BudgetId{row.integer(0)},
                                        .slot = row.integer(1),
                                        .period_start = from_unix_micros(row.integer(2)),
                                        .spent = NanoUsd(row.integer(3))});
      });
  if (!found) return failed(found.error());
  return std::move(*found);
}

}  // namespace claviger::store
