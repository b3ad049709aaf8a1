#pragma once

/// What people are warned of, before it hurts: a budget that fills up, or that will before its
/// period is over; a single request that is unusually dear; a model that costs many times what
/// was used before.
///
/// Each thing is found once. Its `occasion` says which one it is (budget, period, threshold),
/// and a store keeps one row for each, so a restart, a second sweep or a second node finds what
/// is there already. The id is made when the row is, so that whoever gets an alert twice, which
/// a crash can bring about, sees the same id twice.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/time.h"

namespace claviger::alert {

enum class Condition : std::uint8_t {
  budget_threshold,  ///< A percentage of the limit is used.
  budget_exhausted,  ///< 100 %: the first refusal or clamp, or all of it is spent.
  budget_overrun,    ///< A provider billed more than the bound that it was given.
  budget_forecast,   ///< At this pace it is used up before its period is over.
  costly_request,    ///< One request cost many times what this owner's usually do.
  costly_model,      ///< A model costs many times what this owner used the day before.
};
inline constexpr std::array kConditions = {Condition::budget_threshold, Condition::budget_exhausted,
                                           Condition::budget_overrun,   Condition::budget_forecast,
                                           Condition::costly_request,   Condition::costly_model};

/// `budget.threshold` and so on: the `type` of a message.
std::string_view to_text(Condition condition);
std::optional<Condition> parse_condition(std::string_view text);

/// What a condition has found.
struct Finding {
  Condition condition = Condition::budget_threshold;
  std::string occasion;  ///< Finding the same occasion again is no new alert.
  OwnerId owner;         ///< None: it concerns the workspace.
  BudgetId budget;       ///< None where it is about no budget.
  std::string summary;   ///< A sentence for a person. No prompts, no keys.
  std::string details;   ///< A JSON object: the message's `data`; see payload.h.
};

/// Bounds on what a message may hold.
inline constexpr std::size_t kSummaryBytesMax = 1024;
inline constexpr std::size_t kDetailsBytesMax = 8 * 1024;

struct Alert {
  std::int64_t number = 0;  ///< Counts up from 1, in the order in which alerts were found.
  std::string id;           ///< `alr_` and 26 characters; see RequestId for the alphabet.
  Finding finding;
  WallTime detected_at;
  std::optional<WallTime> acknowledged_at;
  std::string acknowledged_by;
};

/// A new id. Threads: any.
std::string new_alert_id(WallTime now);
/// Whether `text` is of that form.
bool is_alert_id(std::string_view text);

struct ChannelRowKind {
  static constexpr std::string_view prefix = "chn";
};
using ChannelId = RowId<ChannelRowKind>;

enum class ChannelKind : std::uint8_t { webhook, mail };

/// Where alerts go. One without an owner is the operator's: it gets everything; an owner's gets
/// what concerns them.
struct Channel {
  ChannelId id;
  OwnerId owner;
  ChannelKind kind = ChannelKind::webhook;
  std::string target;  ///< A URL, or a mail address. A URL may be a secret in itself.
  WallTime created_at;
};
/// Of each owner, and of the operator.
inline constexpr std::size_t kChannelsPerOwnerMax = 8;
inline constexpr std::size_t kTargetBytesMax = 1024;

enum class DeliveryState : std::uint8_t {
  waiting,    ///< For its first or next attempt.
  delivered,  ///< Somebody took it.
  dead,       ///< Given up; `claviger alert retry` tries again.
};

struct Delivery {
  std::int64_t alert_number = 0;
  ChannelId channel;
  DeliveryState state = DeliveryState::waiting;
  int attempts = 0;  ///< Since it was found, or since somebody asked to try again.
  WallTime next_at;  ///< Where it is waiting.
  std::optional<WallTime> delivered_at;
  std::string trouble;  ///< Why the last attempt failed: a sentence; no secrets.
};

}  // namespace claviger::alert
