#pragma once

/// The words of budgets in the database.

#include "budget/ledger.h"
#include "store/sqlite/sql.h"

namespace claviger::store {

inline constexpr EnumWords<budget::Period, 5> kPeriods{{{{budget::Period::request, "request"},
                                                         {budget::Period::day, "day"},
                                                         {budget::Period::week, "week"},
                                                         {budget::Period::month, "month"},
                                                         {budget::Period::total, "total"}}}};

inline constexpr EnumWords<budget::WhenExhausted, 4> kPolicies{
    {{{budget::WhenExhausted::refuse, "refuse"},
      {budget::WhenExhausted::clamp, "clamp"},
      {budget::WhenExhausted::downgrade, "downgrade"},
      {budget::WhenExhausted::queue, "queue"}}}};

inline constexpr EnumWords<budget::Certainty, 4> kCertainties{
    {{{budget::Certainty::billed, "billed"},
      {budget::Certainty::estimated, "estimated"},
      {budget::Certainty::reconciled, "reconciled"},
      {budget::Certainty::quarantined, "quarantined"}}}};

}  // namespace claviger::store
