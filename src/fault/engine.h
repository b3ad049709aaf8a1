#pragma once

/// From what was seen to a verdict. Pure: no I/O, no clock, no state. A verdict takes
/// microseconds (fault_bench), and nothing of it runs for a request that succeeds.

#include <string_view>

#include "fault/observation.h"
#include "fault/rules.h"
#include "fault/verdict.h"

namespace claviger::fault {

struct EngineOptions {
  /// Rules of this provider are left out, as if nobody had written them: what bench/verdicts
  /// measures the general reasoning with.
  std::string_view without_provider;
};

/// Whether that was a failure at all, as far as rules can tell, is the caller's to know: an
/// answer that went well is judged `unknown` with little confidence.
/// Threads: any, concurrently. `book` outlives the verdict.
Verdict judge(const RuleBook& book, const Observation& seen, const EngineOptions& options = {});

}  // namespace claviger::fault
