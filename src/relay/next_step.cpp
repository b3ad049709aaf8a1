#include "relay/next_step.h"

#include <algorithm>
#include <chrono>

namespace claviger::relay {
namespace {

using Kind = NextStep::Kind;

constexpr Duration kFirstPauseMax = std::chrono::milliseconds(500);

/// Whether the same request could fare better elsewhere. Not where the request itself, the
/// owner's own limit or a rule is the reason: another place would only cost as well.
bool is_of_the_place(const api::ErrorAnswer& error) {
  return error.at_fault == "key" || error.at_fault == "account" || error.at_fault == "model" ||
         error.at_fault == "provider" || error.at_fault == "network";
}

/// Between half of the longest pause and all of it.
Duration spread_pause(const AttemptId& attempt) {
  Duration longest = kFirstPauseMax;
  for (std::uint32_t tried = 1; tried < std::min(attempt.number, 8U); ++tried) longest *= 2;
  const auto random = static_cast<std::int64_t>(attempt.request.low & 0xFFFF);
  return longest / 2 + longest / 2 * random / 0xFFFF;
}

}  // namespace

NextStep next_step(const api::ErrorAnswer& error, const Ending& ending, const Limits& limits) {
  if (ending.attempt.number >= limits.attempts_max || !is_of_the_place(error)) return {};
  if (ending.has_alternative) return {.kind = Kind::next_target};
  if (error.retry == api::Retry::no || ending.may_be_billed) return {};
  const Duration pause = error.retry == api::Retry::after && error.retry_after_s > 0
                             ? Duration(std::chrono::seconds(error.retry_after_s))
                             : spread_pause(ending.attempt);
  if (pause > limits.retry_pause_max) return {};
  return {.kind = Kind::same_again, .pause = pause};
}

}  // namespace claviger::relay
