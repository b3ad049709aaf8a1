#pragma once

/// Alerts in SQLite; see alert/alert_store.h for the promises.

#include "alert/alert_store.h"
#include "store/sqlite/database.h"

namespace claviger::store {

class SqliteAlertStore final : public alert::AlertStore {
 public:
  /// `database` outlives this and is migrated.
  explicit SqliteAlertStore(Database& database) : database_(database) {}

  alert::StoreResult<alert::Channel> add_channel(alert::Channel channel) override;
  alert::StoreResult<void> remove_channel(alert::ChannelId id, WallTime now) override;
  alert::StoreResult<std::vector<alert::Channel>> channels() override;
  alert::StoreResult<std::optional<alert::Alert>> add(alert::Alert alert) override;
  alert::StoreResult<alert::Alert> find(std::string_view id) override;
  alert::StoreResult<std::vector<alert::Alert>> list(const alert::AlertQuery& query) override;
  alert::StoreResult<std::vector<alert::Alert>> list_after(std::int64_t number, int limit) override;
  alert::StoreResult<std::int64_t> newest_number() override;
  alert::StoreResult<alert::Alert> acknowledge(std::string_view id, std::string_view who,
                                               WallTime now) override;
  alert::StoreResult<void> forget_before(WallTime before) override;
  alert::StoreResult<std::vector<alert::Delivery>> deliveries(std::int64_t alert_number) override;
  alert::StoreResult<std::vector<alert::DueDelivery>> due(WallTime now, int limit) override;
  alert::StoreResult<void> update(const alert::Delivery& delivery) override;
  alert::StoreResult<int> retry(std::string_view id, WallTime now) override;
  alert::StoreResult<void> keep(const std::vector<alert::PaceSample>& samples,
                                WallTime now) override;
  alert::StoreResult<std::vector<alert::PaceSample>> samples() override;

 private:
  Database& database_;
};

}  // namespace claviger::store
