#pragma once

/// What a record keeps of a verdict (fault/verdict.h) beside its party and cause: how sure it
/// was, who else was suspected and what was seen. Words of our own and of the provider's error
/// codes; no prompt, no key, no name. Nothing of it for a request that went well.

#include <compare>
#include <cstddef>
#include <string>
#include <vector>

namespace claviger::record {

inline constexpr std::size_t judged_suspects_max = 4;
inline constexpr std::size_t judged_evidence_max = 20;
inline constexpr std::size_t judged_line_bytes_max = 240;  ///< Of one line of evidence.
inline constexpr int permille_max = 1000;

struct JudgedSuspect {
  std::string at_fault;
  std::string cause;
  int confidence_permille = 0;  ///< 0 to permille_max.
  bool operator==(const JudgedSuspect&) const = default;
};

struct Judgement {
  std::string retry;  ///< "no", "yes" or "after"; empty where nothing was judged.
  int retry_after_s = 0;
  int confidence_permille = 0;
  std::vector<JudgedSuspect> suspects;  ///< Most likely first; empty where there was no doubt.
  std::vector<std::string> evidence;    ///< In the order in which it was seen.

  bool is_empty() const { return retry.empty(); }
  bool operator==(const Judgement&) const = default;
};

}  // namespace claviger::record
