#pragma once

/// What is known of one request on its way. Filled in step by step by the stages of
/// relay.cpp; each stage reads what earlier ones wrote.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "access/directory.h"
#include "api/dialect.h"
#include "budget/admission.h"
#include "exchange/request.h"
#include "net/server_connection.h"
#include "provider/adapter.h"
#include "record/record.h"
#include "relay/errand.h"
#include "relay/snapshot.h"
#include "relay/soft_watch.h"
#include "relay/streamed.h"
#include "relay/surfaces.h"
#include "route/table.h"

namespace claviger::relay {

/// One request counted against its key's limits of pace, until this ends.
class Turn {
 public:
  Turn() = default;
  Turn(std::shared_ptr<access::Pace> pace, access::PaceLimits limits, const Clock& clock)
      : pace_(std::move(pace)), limits_(limits), clock_(&clock) {}
  Turn(Turn&& other) noexcept = default;
  Turn& operator=(Turn&& other) noexcept {
    std::swap(pace_, other.pace_);
    std::swap(limits_, other.limits_);
    std::swap(clock_, other.clock_);
    std::swap(tokens_, other.tokens_);
    return *this;
  }
  ~Turn() {
    if (pace_) pace_->leave(limits_, tokens_, clock_->now());
  }
  /// Of each attempt; they add up.
  void count_tokens(std::int64_t tokens) { tokens_ += tokens; }

 private:
  std::shared_ptr<access::Pace> pace_;
  access::PaceLimits limits_;
  const Clock* clock_ = nullptr;
  std::int64_t tokens_ = 0;
};

/// One try at one place, with a hold of its own: a retry or a fallback has another price and
/// perhaps other budgets, so the attempt before it is settled first and this starts afresh.
struct Attempt {
  std::uint32_t number = 1;
  route::Target target;
  const provider::Profile* profile = nullptr;
  const provider::Adapter* adapter = nullptr;

  budget::BudgetSet budgets;
  /// Of those, the end user's, each with the rule that made it.
  std::vector<std::pair<BudgetId, BudgetId>> user_budgets;
  budget::Bound bound;
  budget::Grant grant;
  std::optional<std::int64_t> output_tokens_written;  ///< The bound that we wrote in.
  bool was_clamped = false;
  /// Nothing bounds what it may cost, and the credential's owner lets that through: the hold is for
  /// what can be bounded, and whatever is billed counts when it settles.
  bool is_unbounded = false;
  /// Its provider bills it by the prices of a moment between these, where they change by the hour.
  WallTime begun_at;
  WallTime ended_at;

  bool is_held = false;
  bool is_settled = false;
  NanoUsd left;  ///< Of the tightest budget, after settling.

  bool reached_provider = false;  ///< Bytes of the request may have arrived there.
  Instant answer_due;  ///< When its first byte, of a stream its first word, must be there.
  bool provider_refused = false;  ///< It said no in its own words: nothing is billed.
  provider::UsageState usage_state = provider::UsageState::absent;
  /// The usage is the provider's last word and not a running count.
  bool usage_is_final = false;
  Streamed streamed;  ///< Of an answer that came as a stream; nothing of others.
  /// Set where the target speaks another dialect than the caller.
  const provider::ProviderTranslation* translation = nullptr;
  /// Where there is a translation, until it is written; its views are the body's.
  std::unique_ptr<exchange::Conversation> conversation;
  std::string translated_body;       ///< Until it is sent.
  std::vector<std::string> dropped;  ///< What the target has no word for, by field.
  std::string forwarded_headers;     ///< Lines from the caller, for the provider.

  std::string passed_back;  ///< Header lines of the provider that callers may see.
  /// Watches the answer; null where there is nothing to watch.
  std::unique_ptr<SoftWatch> soft_watch;
  net::Buffer provider_error;  ///< Its error body, padded, keys masked; empty where it gave none.
};

/// What is changed in the attempt's request on its way out.
provider::Edits edits_of(const Attempt& attempt);

struct Job {
  net::ServerConnection& caller;
  std::shared_ptr<const Snapshot> world;
  const api::Dialect& dialect;
  exchange::Operation operation;
  Surface surface;  ///< Its views end with the caller's head.

  const access::VirtualKey* key = nullptr;  ///< In `world`.
  std::optional<Errand> errand;             ///< Of a request in a caller's place.
  std::unique_ptr<record::Sheet> sheet;     ///< Until finish_record().
  record::Record& record = sheet->record;
  Turn turn;
  exchange::Request request;  ///< Its views end with the caller's buffer.

  Attempt attempt;
  /// Where else the request may go, in the order of preference, the nearest last.
  std::vector<route::Target> alternatives;
  /// What stands in where money is short, once that was asked for: the cheapest last.
  std::optional<std::vector<route::Target>> cheaper;
  std::string downgraded_from;  ///< The model that was too dear; empty where none was.
  /// What earlier attempts met, a line each: evidence where all of them fail.
  std::vector<std::string> met_before;

  bool counts_use = false;   ///< Its credentials are chosen by what they are used for.
  bool was_overrun = false;  ///< A provider billed more than it was asked for.

  /// Whether bytes of an answer have reached the caller: beyond that there is no retry.
  bool has_answered() const { return record.status != 0; }
};

/// What Claviger itself took of the time before the request was with the provider: everything
/// but waiting for a connection. -1 where it was never sent. In microseconds.
std::int64_t overhead_of(const record::Times& times);

}  // namespace claviger::relay
