#pragma once

/// Whose fault is it? Every failure that passes through Claviger gets a verdict: who has to act,
/// how sure that is and from what, what to tell the person in front of the application, and
/// whether trying again can help. docs/reference/faults.md lists the causes.
///
/// Why not the status: OpenAI's 429 is an empty account or a matter of pace, xAI answers 400 to a
/// bad key and 403 to a content filter, Groq's 400 may be the model's own mistake, and errors
/// arrive inside HTTP 200. What is judged is what the provider says about it.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace claviger::fault {

/// Who has to act so that the same request can succeed.
enum class Party : std::uint8_t {
  app,       ///< The caller's request.
  key,       ///< Wrong, revoked, leaked, not allowed.
  account,   ///< The owner's money, quota, tier or settings at the provider; or his own server.
  model,     ///< Does not exist, cannot do it, produced rubbish.
  provider,  ///< Outage, overload, bug.
  network,   ///< DNS, TCP, TLS, proxies, captive portals, blocked regions.
  policy,    ///< Content filter, refusal, safety.
  budget,    ///< The owner's own limit here.
  gateway,   ///< Claviger, or whoever operates it.
};
inline constexpr std::size_t parties = 9;

enum class Retry : std::uint8_t {
  no,
  yes,
  after,  ///< After a pause; see Verdict::retry_after_s.
};

std::string_view to_string(Party party);
std::string_view to_string(Retry retry);

/// Longest pause that is passed on. A provider that asks for more is not believed: what it means
/// is that trying again does not help today.
inline constexpr int retry_after_s_max = 24 * 60 * 60;

struct Suspect {
  Party party = Party::provider;
  std::string_view cause;  ///< Lives as long as the rule book.
  double confidence = 0;   ///< 0 to 1; those of all suspects add up to at most 1.
};

struct Verdict {
  Party at_fault = Party::provider;
  /// Stable snake_case, one of docs/reference/faults.md. Lives as long as the rule book.
  std::string_view cause = "unknown";
  /// 0 to 1, calibrated: of verdicts given with 0.9, nine in ten are right (bench/verdicts).
  double confidence = 0;
  /// The evidence does not decide: `at_fault` is the first of the suspects and no more.
  bool inconclusive = false;
  Retry retry = Retry::no;
  /// What the provider asks for, 1 to retry_after_s_max; 0 where it does not, or is not believed.
  int retry_after_s = 0;
  std::string_view say;               ///< One sentence for the person in front of the application.
  std::string_view remedy;            ///< What to do, by whom.
  std::vector<Suspect> suspects;      ///< Most likely first, at most suspects_max.
  std::vector<std::string> evidence;  ///< What was seen, in order, at most evidence_max lines.
};
inline constexpr std::size_t suspects_max = 4;
inline constexpr std::size_t evidence_max = 12;

}  // namespace claviger::fault
