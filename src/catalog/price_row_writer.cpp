/// Writes a price as a row's keys: what read_stated_price() reads, absent rates left out.

#include <fmt/format.h>

#include "catalog/price_row.h"

namespace claviger::catalog {
namespace {

using exchange::Unit;

/// `value` times ten to the power of -`places`, exactly.
std::string decimal(std::int64_t value, int places) {
  std::int64_t one = 1;
  for (int i = 0; i < places; ++i) one *= 10;
  std::string text = fmt::format("{}.{:0{}}", value / one, value % one, places);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

std::string per_million(PicoUsdPerUnit rate) {
  constexpr int places = 6;
  return decimal(rate.picos, places);
}

/// An object while it is written. Keys and values need no escaping.
class RowWriter {
 public:
  void text(std::string_view key, std::string_view value) {
    raw(key, fmt::format("\"{}\"", value));
  }
  void raw(std::string_view key, std::string_view json) {
    out_ += fmt::format("{}\"{}\": {}", out_.empty() ? "" : ", ", key, json);
  }
  std::string finish() const { return "{" + out_ + "}"; }

 private:
  std::string out_;
};

void write_rates(RowWriter& row, const TokenRates& rates) {
  row.text("input", per_million(rates.input));
  row.text("cached_input", per_million(rates.cached_input));
  row.text("cache_write", per_million(rates.cache_write));
  row.text("cache_write_1h", per_million(rates.cache_write_1h));
  row.text("output", per_million(rates.output));
  const auto rare = [&](std::string_view key, std::optional<PicoUsdPerUnit> rate) {
    if (rate) row.text(key, per_million(*rate));
  };
  rare("reasoning", rates.reasoning);
  rare("audio_input", rates.audio_input);
  rare("cached_audio", rates.cached_audio);
  rare("audio_output", rates.audio_output);
  rare("image_input", rates.image_input);
  rare("cached_image", rates.cached_image);
  rare("image_output", rates.image_output);
}

void write_pieces(RowWriter& row, const UnitRates& units) {
  constexpr int places = 12;
  constexpr std::size_t ms_length = 3;
  RowWriter pieces;
  for (std::size_t i = 0; i < exchange::units_count; ++i) {
    const auto unit = static_cast<Unit>(i);
    const auto rate = units[unit];
    if (!rate) continue;
    const std::string_view name = to_string(unit);
    if (name.ends_with("_ms")) {
      // Pico-dollars a millisecond are nano-dollars a second.
      constexpr int nano_places = 9;
      pieces.text(fmt::format("{}_second", name.substr(0, name.size() - ms_length)),
                  decimal(rate->picos, nano_places));
    } else {
      pieces.text(name, decimal(rate->picos, places));
    }
  }
  row.raw("pieces", pieces.finish());
}

void write_card(RowWriter& row, const RateCard& card, bool bills_tokens) {
  constexpr int places = 12;
  if (bills_tokens) write_rates(row, card);
  std::string tiers;
  for (const ContextTier& tier : card.context_tiers) {
    RowWriter one;
    one.raw("above", std::to_string(tier.input_tokens_above));
    write_rates(one, tier.rates);
    tiers += (tiers.empty() ? "" : ", ") + one.finish();
  }
  if (!tiers.empty()) row.raw("context_tiers", "[" + tiers + "]");
  if (card.tier_reach == TierReach::excess_only) row.text("tier_reach", "excess");
  if (!card.units.is_empty()) write_pieces(row, card.units);
  if (card.per_request.picos != 0) row.text("per_request", decimal(card.per_request.picos, places));
}

}  // namespace

std::string write_stated_price(const Price& price) {
  constexpr int permille_places = 3;
  RowWriter row;
  write_card(row, price, price.bills_tokens);
  for (const ServiceTierCard& tier : price.service_tiers) {
    RowWriter card;
    write_card(card, tier.rates, price.bills_tokens);
    row.raw(to_string(tier.tier), card.finish());
  }
  if (price.regional_permille != 1000) {
    row.text("regional", decimal(price.regional_permille, permille_places));
  }
  if (price.kind == PriceKind::upper_bound) row.raw("upper_bound", "true");
  return row.finish();
}

}  // namespace claviger::catalog
