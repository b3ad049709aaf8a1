#pragma once

/// The message that a webhook is sent, and the words in which people are told. Version 1:
///
///     {"version": 1, "type": "budget.threshold", "id": "alr_…",
///      "timestamp": "2026-11-23T10:00:00.000Z",
///      "text": "The budget on owner:alice has used 82 % of $5.00 …",
///      "data": {…}}
///
/// `data` differs by type; docs/guide/warnings.md lists its members. Members may be added within
/// a version; none changes its meaning or goes. Amounts are exact decimal texts in `…_usd`,
/// times RFC 3339 in UTC. Never in it: prompts, answers, keys.

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "alert/alert.h"
#include "base/money.h"
#include "base/time.h"

namespace claviger::alert {

inline constexpr int kPayloadVersion = 1;
/// The `type` of what `claviger alert channel test` sends.
inline constexpr std::string_view kTestType = "test";

/// A message as it is delivered.
struct Message {
  std::string id;
  std::string type;
  WallTime at;
  std::string summary;
  std::string details;
};

Message message_of(const Alert& alert);
/// What a channel is tried out with.
Message test_message(WallTime now);

/// The JSON above. At most kSummaryBytesMax + kDetailsBytesMax and some 300 bytes.
std::string to_json(const Message& message);

/// `Thu 2026-11-26 14:00 UTC`
std::string to_words(WallTime time);

/// One JSON object, member by member.
class Details {
 public:
  Details& text(std::string_view name, std::string_view value);
  Details& usd(std::string_view name, NanoUsd value);
  Details& time(std::string_view name, std::optional<WallTime> value);
  Details& number(std::string_view name, std::int64_t value);
  /// `json` is JSON itself.
  Details& raw(std::string_view name, std::string_view json);
  std::string finish() const { return out_.empty() ? "{}" : out_ + "}"; }

 private:
  std::string out_;
};

}  // namespace claviger::alert
