#pragma once

/// A record as people and scripts read it: one JSON object. Used by the callers' surface and
/// by the control API, so that both say the same.

#include <string>

#include "record/record.h"

namespace claviger::record {

/// Ids as text, money as decimal strings in `…_usd`, durations in `…_us` (null where a stage
/// was not reached), the start as RFC 3339 in UTC.
std::string to_json(const Record& record);

/// How sure the verdict is, 0 to 1; `null` where nothing was judged.
std::string confidence_json(const Record& record);

/// `2026-11-23T01:02:03.456Z`
std::string to_rfc3339(WallTime time);

}  // namespace claviger::record
