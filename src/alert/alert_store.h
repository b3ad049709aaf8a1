#pragma once

/// Where alerts, their deliveries and the channels are kept. store/ implements it.
///
/// What is promised to survive a crash: an alert and what is to be delivered of it are one
/// transaction, so either nobody knows of it and the next sweep finds it again, or it will be
/// delivered after the restart.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alert/alert.h"
#include "alert/pace.h"

namespace claviger::alert {

enum class AlertStoreError : std::uint8_t {
  unavailable,  ///< The database did not answer or did not take it.
  not_found,    ///< No such alert, channel or owner.
  exists,       ///< That owner has a channel to this target already.
  too_many,     ///< kChannelsPerOwnerMax is reached.
};

template <typename T>
using StoreResult = std::expected<T, AlertStoreError>;

struct AlertQuery {
  std::optional<OwnerId> owner;
  bool only_open = false;  ///< Not acknowledged yet.
  bool only_dead = false;  ///< With a delivery that was given up.
  int limit = 50;          ///< 1 to kAlertsListedMax.
};
inline constexpr int kAlertsListedMax = 1000;

/// A delivery whose time has come, with what it is about.
struct DueDelivery {
  Delivery delivery;
  Alert alert;
  Channel channel;
};

/// Threads: the control thread is the only caller; methods block.
class AlertStore {
 public:
  virtual ~AlertStore() = default;

  /// `channel.id` is ignored and set in what is returned. Errors: exists, too_many, not_found
  /// (the owner), unavailable.
  virtual StoreResult<Channel> add_channel(Channel channel) = 0;
  /// What was still to be delivered there is dropped. Errors: not_found, unavailable.
  virtual StoreResult<void> remove_channel(ChannelId id, WallTime now) = 0;
  /// Those in force, by id.
  virtual StoreResult<std::vector<Channel>> channels() = 0;

  /// Keeps an alert, and makes a delivery for every channel that it concerns. `alert.number`
  /// is ignored and set in what is returned; nothing is returned where its occasion is known.
  virtual StoreResult<std::optional<Alert>> add(Alert alert) = 0;
  /// By id. Errors: not_found, unavailable.
  virtual StoreResult<Alert> find(std::string_view id) = 0;
  /// The newest first.
  virtual StoreResult<std::vector<Alert>> list(const AlertQuery& query) = 0;
  /// Those behind `number`, oldest first, at most `limit`: for whoever follows along.
  virtual StoreResult<std::vector<Alert>> list_after(std::int64_t number, int limit) = 0;
  /// 0 where there is none.
  virtual StoreResult<std::int64_t> newest_number() = 0;
  /// Acknowledging again changes nothing. Errors: not_found, unavailable.
  virtual StoreResult<Alert> acknowledge(std::string_view id, std::string_view who,
                                         WallTime now) = 0;
  /// Drops alerts about requests and models from before `before`. Those about budgets stay:
  /// they say what has been warned of.
  virtual StoreResult<void> forget_before(WallTime before) = 0;

  virtual StoreResult<std::vector<Delivery>> deliveries(std::int64_t alert_number) = 0;
  /// Those waiting whose time is at or before `now`, the longest overdue first.
  virtual StoreResult<std::vector<DueDelivery>> due(WallTime now, int limit) = 0;
  /// How an attempt went. Errors: not_found (the channel was removed meanwhile), unavailable.
  virtual StoreResult<void> update(const Delivery& delivery) = 0;
  /// Makes all deliveries of the alert that were not made wait for an attempt now, as if none
  /// had been tried. Returns how many. Errors: not_found, unavailable.
  virtual StoreResult<int> retry(std::string_view id, WallTime now) = 0;

  /// Pace of spending; replaces samples of the same budget and slot, drops what is older than
  /// kSamplesKept.
  virtual StoreResult<void> keep(const std::vector<PaceSample>& samples, WallTime now) = 0;
  /// By budget and slot.
  virtual StoreResult<std::vector<PaceSample>> samples() = 0;
};

}  // namespace claviger::alert
