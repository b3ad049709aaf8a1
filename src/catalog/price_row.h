#pragma once

/// Reads one line of data/prices.jsonl: what a model costs, as JSON. Amounts are decimal strings,
/// so that nobody's floating point touches them. A row looks like this; every key but the first
/// two, `source` and `dated` may be absent, and a key that is not known is an error:
///
///   {"provider": "openai", "model": "gpt-5.4", "operation": "chat",
///    "from": "2026-03-05", "until": "2027-01-01",       days, UTC; without: always
///    "input": "2.5", "cached_input": "0.25", "output": "15",     dollars per million tokens
///    "context_tiers": [{"above": 272000, "input": "5", …}], "tier_reach": "excess",
///    "pieces": {"web_search": "0.01", "audio_input_second": "0.0001"},        dollars each
///    "per_request": "0.01",
///    "batch": {"input": "1.25", …}, "flex": {…}, "priority": {…}, "fast": {…},
///    "daily": [{"from": "16:30", "until": "00:30", "days": [1, 2], "input": …}],      UTC
///    "regional": "1.1", "always": {"web_search": 1}, "unbounded": true, "upper_bound": true,
///    "context": 1050000, "output_max": 128000, "source": "…", "dated": "2026-11-25",
///    "note": "for people"}
///
/// Absent rates of tokens mean: cached reads, cache writes, sound and pictures as input, an hour's
/// write as five minutes', a tier's pieces as the standard ones. A row without `input` bills by
/// the piece alone.

#include <expected>
#include <string>
#include <string_view>

#include "catalog/price_book.h"

namespace claviger::exchange {
class JsonTree;
}

namespace claviger::catalog {

struct PriceRow {
  Model model;  ///< Its `price` is set.
  PricePeriod period;
};

/// `tree` is scratch, so that reading a book does not make one per line. The error completes
/// "line 7: …".
std::expected<PriceRow, std::string> read_price_row(std::string_view line,
                                                    exchange::JsonTree& tree);

/// What an owner states: the keys of a row that say what something costs, and none that say
/// which model, when, or by whose word. `source` and `dated` stay empty.
std::expected<Price, std::string> read_stated_price(std::string_view json);
/// What read_stated_price() reads back as the same price. Times of day are a book's alone.
std::string write_stated_price(const Price& price);

}  // namespace claviger::catalog
