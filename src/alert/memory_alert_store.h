#pragma once

/// For tests: an AlertStore in memory, whose faults a test chooses.

#include <algorithm>
#include <map>

#include "alert/alert_store.h"

namespace claviger::alert {

class MemoryAlertStore final : public AlertStore {
 public:
  StoreResult<Channel> add_channel(Channel channel) override {
    if (unavailable) return no();
    channel.id = ChannelId{static_cast<std::int64_t>(all_channels.size()) + 1};
    all_channels.push_back(channel);
    return channel;
  }
  StoreResult<void> remove_channel(ChannelId id, WallTime) override {
    std::erase_if(all_channels, [id](const Channel& channel) { return channel.id == id; });
    std::erase_if(all_deliveries, [id](const auto& entry) { return entry.first.second == id; });
    return {};
  }
  StoreResult<std::vector<Channel>> channels() override { return all_channels; }

  StoreResult<std::optional<Alert>> add(Alert alert) override {
    if (unavailable) return no();
    ++adds;
    for (const Alert& known : alerts) {
      if (known.finding.occasion == alert.finding.occasion) return std::optional<Alert>();
    }
    alert.number = static_cast<std::int64_t>(alerts.size()) + 1;
    alerts.push_back(alert);
    for (const Channel& channel : all_channels) {
      if (!channel.owner.is_none() && channel.owner != alert.finding.owner) continue;
      Delivery delivery;
      delivery.alert_number = alert.number;
      delivery.channel = channel.id;
      delivery.next_at = alert.detected_at;
      all_deliveries[{alert.number, channel.id}] = delivery;
    }
    return std::optional(alert);
  }
  StoreResult<Alert> find(std::string_view id) override {
    for (const Alert& alert : alerts) {
      if (alert.id == id) return alert;
    }
    return std::unexpected(AlertStoreError::not_found);
  }
  StoreResult<std::vector<Alert>> list(const AlertQuery&) override { return alerts; }
  StoreResult<std::vector<Alert>> list_after(std::int64_t number, int) override {
    std::vector<Alert> after = alerts;
    std::erase_if(after, [number](const Alert& alert) { return alert.number <= number; });
    return after;
  }
  StoreResult<std::int64_t> newest_number() override {
    return static_cast<std::int64_t>(alerts.size());
  }
  StoreResult<Alert> acknowledge(std::string_view id, std::string_view, WallTime) override {
    return find(id);
  }
  StoreResult<void> forget_before(WallTime) override { return {}; }
  StoreResult<std::vector<Delivery>> deliveries(std::int64_t number) override {
    std::vector<Delivery> found;
    for (const auto& [key, delivery] : all_deliveries) {
      if (key.first == number) found.push_back(delivery);
    }
    return found;
  }
  StoreResult<std::vector<DueDelivery>> due(WallTime now, int limit) override {
    if (unavailable) return no();
    std::vector<DueDelivery> found;
    for (const auto& [key, delivery] : all_deliveries) {
      if (delivery.state != DeliveryState::waiting || delivery.next_at > now) continue;
      const auto channel = std::ranges::find(all_channels, key.second, &Channel::id);
      if (channel == all_channels.end() || found.size() == static_cast<std::size_t>(limit)) {
        continue;
      }
      found.push_back({.delivery = delivery,
                       .alert = alerts[static_cast<std::size_t>(key.first) - 1],
                       .channel = *channel});
    }
    return found;
  }
  StoreResult<void> update(const Delivery& delivery) override {
    if (unavailable) return no();
    const auto found = all_deliveries.find({delivery.alert_number, delivery.channel});
    if (found == all_deliveries.end()) return std::unexpected(AlertStoreError::not_found);
    found->second = delivery;
    return {};
  }
  StoreResult<int> retry(std::string_view, WallTime now) override {
    int count = 0;
    for (auto& [key, delivery] : all_deliveries) {
      if (delivery.state == DeliveryState::delivered) continue;
      delivery.state = DeliveryState::waiting;
      delivery.attempts = 0;
      delivery.next_at = now;
      ++count;
    }
    return count;
  }
  StoreResult<void> keep(const std::vector<PaceSample>& samples, WallTime) override {
    if (unavailable) return no();
    kept.insert(kept.end(), samples.begin(), samples.end());
    return {};
  }
  StoreResult<std::vector<PaceSample>> samples() override { return kept; }

  std::vector<Channel> all_channels;
  std::vector<Alert> alerts;
  std::map<std::pair<std::int64_t, ChannelId>, Delivery> all_deliveries;
  std::vector<PaceSample> kept;
  int adds = 0;
  bool unavailable = false;

 private:
  static std::unexpected<AlertStoreError> no() {
    return std::unexpected(AlertStoreError::unavailable);
  }
};

}  // namespace claviger::alert
