#pragma once

/// From usage to money, exactly: every kind at its rate in 128 bits, rounded up once. What is
/// not known never becomes zero: it is named by unpriced(), and costs the dearest that fits.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/money.h"
#include "catalog/price.h"
#include "exchange/request.h"
#include "exchange/usage.h"

namespace claviger::catalog {

/// What an answer cost. Negative counts count as none and parts larger than their whole as the
/// whole; a reader calls such usage impossible before it comes here. Never wraps.
NanoUsd cost_of(const exchange::Usage& usage, const Price& price);
/// The same at the time at which the provider bills it, where prices change by time of day;
/// without a time, the dearest counts.
NanoUsd cost_of(const exchange::Usage& usage, const Price& price, WallTime billed_at);

/// What `price` has no rate for although the usage has it, by stable names: "web_search",
/// "service_tier_priority". Empty almost always; otherwise cost_of() may be less than what is
/// billed, and only a hold or a bill says more. A missing `batch` or `flex` is not among them:
/// those are cheaper than the standard rates, which are taken instead (see is_exact()).
std::vector<std::string> unpriced(const exchange::Usage& usage, const Price& price);

/// Whether cost_of() is what is billed, not only an upper or lower bound of it.
bool is_exact(const exchange::Usage& usage, const Price& price);
bool is_exact(const exchange::Usage& usage, const Price& price, WallTime billed_at);

/// With what every answer of such a model incurs and this one does not state (Price::always): a
/// search by a model that always searches.
exchange::Usage with_incurred(exchange::Usage usage, const Price& price);

/// One line of a bill.
struct CostLine {
  std::string_view kind;  ///< A stable name: "input", "cache_write_1h", "web_search", ….
  std::int64_t units = 0;
  PicoUsdPerUnit rate;
  /// `units` times `rate`, in 1e-15 dollars; of a surcharge, what it adds to the other lines.
  unsigned __int128 amount_femtos = 0;
};

/// The lines that cost_of() adds up, those of nothing left out.
std::vector<CostLine> lines_of(const exchange::Usage& usage, const Price& price);
std::vector<CostLine> lines_of(const exchange::Usage& usage, const Price& price,
                               WallTime billed_at);

/// An exact decimal number of dollars, up to fifteen places: "0.000000075".
std::string decimal_of_femtos(unsigned __int128 femtos);

/// Which writes to a cache a request can cause.
enum class CacheWrites : std::uint8_t { none, five_minutes, any };

/// What of the output may be priced apart from text.
enum class OutputContent : std::uint8_t { text, any };

/// Whether a tier without rates of its own costs no more than the standard rates: batches, and
/// what waits for room.
bool is_bounded_by_standard(exchange::ServiceTier tier);

/// Who decides how a request is served.
enum class TierChoice : std::uint8_t {
  as_asked,
  by_account,  ///< The settings of the provider's account: perhaps dearer than standard.
};

/// The most that a request can consume. What is not said is taken at its worst, apart from the
/// tier: a request that does not ask for another is served as standard, unless its account says
/// otherwise.
struct UsageBound {
  std::int64_t input_tokens_max = 0;
  std::int64_t output_tokens_max = 0;  ///< Of all choices together.
  exchange::InputContent input_content = exchange::InputContent::by_model;
  OutputContent output_content = OutputContent::any;
  CacheWrites cache_writes = CacheWrites::any;
  exchange::UnitCounts units_max;
  /// As asked for. `standard` is always considered too, since providers fall back to it.
  exchange::ServiceTier service_tier = exchange::ServiceTier::standard;
  TierChoice tier_choice = TierChoice::as_asked;
  exchange::Geography geography = exchange::Geography::anywhere;
};

/// The most that a request within `bound` can cost: for every usage within it,
/// cost_of(usage, price) <= worst_cost(bound, price). NanoUsd::max() where a unit of the bound
/// or its tier has no rate.
NanoUsd worst_cost(const UsageBound& bound, const Price& price);

/// How many output tokens `money` still pays for once everything else of `bound` is paid (its
/// output_tokens_max is not looked at): 0 where none, and the largest number where output costs
/// nothing. worst_cost() with the result is within `money`, unless the rest alone is not.
std::int64_t output_tokens_within(NanoUsd money, const UsageBound& bound, const Price& price);

/// The same for tokens alone. `content` says whether sound or pictures could be in the input.
NanoUsd worst_cost(std::int64_t input_tokens_max, std::int64_t output_tokens_max,
                   const Price& price,
                   exchange::InputContent content = exchange::InputContent::by_model);
std::int64_t output_tokens_within(
    NanoUsd money, std::int64_t input_tokens_max, const Price& price,
    exchange::InputContent content = exchange::InputContent::by_model);

}  // namespace claviger::catalog
