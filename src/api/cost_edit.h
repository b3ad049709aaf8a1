#pragma once

/// Adding `usage.cost` to an answer that is otherwise passed on as it came.

#include <string>
#include <string_view>

#include "base/money.h"
#include "exchange/request.h"

namespace claviger::api {

/// `body` with the cost set in the object at `usage`; unchanged where that is no object.
std::string body_with_cost(std::string_view body, exchange::Span usage, NanoUsd cost);

/// A whole SSE event with the cost set in the object at `usage` of its data, whose keys are parted
/// by dots; unchanged where it has none.
std::string sse_event_with_cost(std::string_view event, std::string_view usage, NanoUsd cost);

}  // namespace claviger::api
