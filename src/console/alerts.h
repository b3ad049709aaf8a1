#pragma once

/// What the control API and its stream of events both say of an alert.

#include "alert/alert.h"
#include "console/json_out.h"
#include "console/registry.h"

namespace claviger::console {

inline constexpr int kEventsAtOnceMax = 100;

JsonObject about_alert(const Registry& registry, const alert::Alert& alert);

}  // namespace claviger::console
