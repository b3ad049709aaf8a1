#include "catalog/price_row.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <stdexcept>
#include <utility>

#include "exchange/json_tree.h"

namespace claviger::catalog {
namespace {

using exchange::JsonNode;
using exchange::ServiceTier;
using exchange::Unit;
using std::chrono::sys_days;

/// A rate above this is a slip of the point: a thousand dollars for one token or piece.
constexpr std::int64_t picos_max = 1'000'000'000'000'000;

/// Leaves the reading of a row; read_price_row() catches it.
[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what);
}

std::string text(const JsonNode& value) {
  if (!value.is_string()) fail(fmt::format("`{}` must be a string", value.key()));
  return std::string(value.text());
}

std::int64_t whole(const JsonNode& value) {
  const auto number = value.integer();
  if (!number || *number < 1) {
    fail(fmt::format("`{}` must be a whole number above 0", value.key()));
  }
  return *number;
}

bool truth(const JsonNode& value) {
  if (!value.is_true() && !value.is_false()) {
    fail(fmt::format("`{}` must be true or false", value.key()));
  }
  return value.is_true();
}

PicoUsdPerUnit checked(const JsonNode& value, std::expected<PicoUsdPerUnit, MoneyError> rate) {
  if (!rate) fail(fmt::format("`{}` {}", value.key(), explain(rate.error())));
  if (rate->picos > picos_max) {
    fail(fmt::format("`{}` is too large; nothing costs a thousand dollars", value.key()));
  }
  return *rate;
}

PicoUsdPerUnit per_million(const JsonNode& value) {
  return checked(value, parse_usd_per_million(text(value)));
}

PicoUsdPerUnit per_piece(const JsonNode& value) {
  return checked(value, parse_usd_per_unit(text(value)));
}

/// A second's price as a millisecond's: nano-dollars a second are pico-dollars a millisecond.
PicoUsdPerUnit per_second(const JsonNode& value) {
  const auto dollars = parse_usd(text(value));
  if (!dollars) return checked(value, std::unexpected(dollars.error()));
  return checked(value, PicoUsdPerUnit{dollars->nanos()});
}

sys_days day(const JsonNode& value) {
  const std::string date = text(value);
  int parts[3] = {};
  const bool is_shaped = date.size() == 10 && date[4] == '-' && date[7] == '-';
  const std::size_t starts[] = {0, 5, 8};
  const std::size_t lengths[] = {4, 2, 2};
  bool is_read = is_shaped;
  for (int i = 0; is_read && i < 3; ++i) {
    const char* const begin = date.data() + starts[i];
    is_read = std::from_chars(begin, begin + lengths[i], parts[i]).ptr == begin + lengths[i];
  }
  const std::chrono::year_month_day ymd{std::chrono::year(parts[0]),
                                        std::chrono::month(static_cast<unsigned>(parts[1])),
                                        std::chrono::day(static_cast<unsigned>(parts[2]))};
  if (!is_read || !ymd.ok()) {
    fail(fmt::format("`{}` must be a date such as 2026-11-25", value.key()));
  }
  return sys_days(ymd);
}

std::uint16_t minute(const JsonNode& value) {
  const std::string time = text(value);
  int hours = 24;
  int minutes = 60;
  if (time.size() == 5 && time[2] == ':') {
    std::from_chars(time.data(), time.data() + 2, hours);
    std::from_chars(time.data() + 3, time.data() + 5, minutes);
  }
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) {
    fail(fmt::format("`{}` must be a time such as 16:30", value.key()));
  }
  return static_cast<std::uint16_t>(hours * 60 + minutes);
}

/// Rates as a row states them, before it is settled what absent ones mean.
struct StatedRates {
  std::optional<PicoUsdPerUnit> input, cached_input, cache_write, cache_write_1h, output;
  TokenRates rare;

  bool take(const JsonNode& value) {
    const std::string_view key = value.key();
    const auto set = [&](std::optional<PicoUsdPerUnit>& target) {
      target = per_million(value);
      return true;
    };
    if (key == "input") return set(input);
    if (key == "cached_input") return set(cached_input);
    if (key == "cache_write") return set(cache_write);
    if (key == "cache_write_1h") return set(cache_write_1h);
    if (key == "output") return set(output);
    if (key == "reasoning") return set(rare.reasoning);
    if (key == "audio_input") return set(rare.audio_input);
    if (key == "cached_audio") return set(rare.cached_audio);
    if (key == "audio_output") return set(rare.audio_output);
    if (key == "image_input") return set(rare.image_input);
    if (key == "cached_image") return set(rare.cached_image);
    if (key == "image_output") return set(rare.image_output);
    return false;
  }
  bool any() const {
    return input || cached_input || cache_write || cache_write_1h || output || rare != TokenRates{};
  }
  TokenRates complete() const {
    if (!input) fail("lacks `input` beside other rates of tokens");
    TokenRates rates = rare;
    rates.input = *input;
    rates.cached_input = cached_input.value_or(*input);
    rates.cache_write = cache_write.value_or(*input);
    rates.cache_write_1h = cache_write_1h.value_or(rates.cache_write);
    // What puts out pictures or sound alone states no rate of text; what puts out nothing, none.
    rates.output = output.value_or(std::max(rare.image_output.value_or(PicoUsdPerUnit{0}),
                                            rare.audio_output.value_or(PicoUsdPerUnit{0})));
    return rates;
  }
};

void refuse_repeated_keys(const JsonNode& object) {
  for (const JsonNode& field : object) {
    std::size_t same = 0;
    for (const JsonNode& other : object) same += other.key() == field.key() ? 1 : 0;
    if (same > 1) fail(fmt::format("has the key `{}` twice", field.key()));
  }
}

/// One way to be served: the row itself, or what stands under a tier's name.
class CardReader {
 public:
  bool take(const JsonNode& value) {
    const std::string_view key = value.key();
    if (stated_.take(value)) return true;
    if (key == "context_tiers") return context_tiers(value);
    if (key == "tier_reach") return tier_reach(value);
    if (key == "pieces") return pieces(value);
    if (key == "per_request") {
      card_.per_request = per_piece(value);
      return true;
    }
    return false;
  }
  bool has_tokens() const { return stated_.any(); }
  RateCard finish() {
    if (stated_.any()) static_cast<TokenRates&>(card_) = stated_.complete();
    const auto by_length = [](const ContextTier& a, const ContextTier& b) {
      return a.input_tokens_above < b.input_tokens_above;
    };
    std::sort(card_.context_tiers.begin(), card_.context_tiers.end(), by_length);
    for (std::size_t i = 1; i < card_.context_tiers.size(); ++i) {
      if (card_.context_tiers[i].input_tokens_above ==
          card_.context_tiers[i - 1].input_tokens_above) {
        fail("has two `context_tiers` above the same length");
      }
    }
    return std::move(card_);
  }

 private:
  bool context_tiers(const JsonNode& list) {
    if (!list.is_array()) fail("`context_tiers` must be a list of objects");
    for (const JsonNode& object : list) {
      if (!object.is_object()) fail("`context_tiers` must be a list of objects");
      refuse_repeated_keys(object);
      ContextTier tier;
      StatedRates rates;
      for (const JsonNode& field : object) {
        if (field.key() == "above") {
          tier.input_tokens_above = whole(field);
        } else if (!rates.take(field)) {
          fail(fmt::format("has the unknown key `context_tiers.{}`", field.key()));
        }
      }
      if (tier.input_tokens_above == 0) fail("lacks `above` in `context_tiers`");
      tier.rates = rates.complete();
      card_.context_tiers.push_back(std::move(tier));
    }
    return true;
  }
  bool tier_reach(const JsonNode& value) {
    const std::string reach = text(value);
    if (reach != "whole" && reach != "excess") {
      fail("`tier_reach` must be \"whole\" or \"excess\"");
    }
    card_.tier_reach = reach == "whole" ? TierReach::whole_request : TierReach::excess_only;
    return true;
  }
  bool pieces(const JsonNode& object) {
    if (!object.is_object()) fail("`pieces` must be an object");
    refuse_repeated_keys(object);
    for (const JsonNode& field : object) {
      const std::string_view key = field.key();
      if (key.ends_with("_second")) {
        const auto unit = exchange::unit_of(fmt::format("{}_ms", key.substr(0, key.size() - 7)));
        if (!unit) fail(fmt::format("has the unknown key `pieces.{}`", key));
        card_.units.set(*unit, per_second(field));
        continue;
      }
      const auto unit = exchange::unit_of(key);
      if (!unit || key.ends_with("_ms")) fail(fmt::format("has the unknown key `pieces.{}`", key));
      card_.units.set(*unit, per_piece(field));
    }
    return true;
  }

  StatedRates stated_;
  RateCard card_;
};

class RowReader {
 public:
  PriceRow read(const JsonNode& row) {
    refuse_repeated_keys(row);
    for (const JsonNode& field : row) take(field);
    Model& model = row_.model;
    if (model.provider.empty()) fail("lacks `provider`");
    if (model.name.empty()) fail("lacks `model`");
    if (price_.source.empty()) fail("lacks `source`");
    if (price_.dated.empty()) fail("lacks `dated`");
    if (row_.period.from && row_.period.until && *row_.period.from >= *row_.period.until) {
      fail("ends (`until`) before it starts (`from`)");
    }
    finish_price();
    row_.period.price = std::make_shared<const Price>(std::move(price_));
    model.price = row_.period.price;
    return std::move(row_);
  }

  Price read_stated(const JsonNode& object) {
    refuse_repeated_keys(object);
    constexpr std::string_view costs[] = {"regional", "upper_bound", "batch",
                                          "flex",     "priority",    "fast"};
    for (const JsonNode& field : object) {
      if (card_.take(field)) continue;
      if (std::ranges::find(costs, field.key()) == std::end(costs)) {
        fail(fmt::format("has the key `{}`, which is none of an owner's price", field.key()));
      }
      take(field);
    }
    finish_price();
    return std::move(price_);
  }

 private:
  void finish_price() {
    price_.bills_tokens = card_.has_tokens();
    static_cast<RateCard&>(price_) = card_.finish();
    if (!price_.bills_tokens && price_.units.is_empty() && price_.per_request.picos == 0) {
      fail("lacks `input`, or `pieces` where nothing is billed by tokens");
    }
    for (ServiceTierCard& tier : price_.service_tiers) inherit(tier.rates);
    for (DailyCard& daily : price_.daily) {
      inherit(daily.rates);
      if (daily.rates.input > price_.input || daily.rates.output > price_.output) {
        fail("is dearer in `daily` than in itself; the row has the dearest rates of the day");
      }
    }
    for (const Incurred& incurred : price_.always) {
      if (price_.units[incurred.unit]) continue;
      fail(fmt::format("has `always.{0}` but no `pieces.{0}`", to_string(incurred.unit)));
    }
  }

  void take(const JsonNode& value) {
    const std::string_view key = value.key();
    if (card_.take(value)) return;
    if (key == "provider") {
      row_.model.provider = text(value);
    } else if (key == "model") {
      row_.model.name = text(value);
    } else if (key == "operation") {
      row_.model.operation = text(value);
    } else if (key == "from") {
      row_.period.from = day(value);
    } else if (key == "until") {
      row_.period.until = day(value);
    } else if (key == "source") {
      price_.source = text(value);
    } else if (key == "dated") {
      day(value);
      price_.dated = text(value);
    } else if (key == "note") {
      text(value);  // For people who read the file.
    } else if (key == "context") {
      row_.model.context_tokens_max = whole(value);
    } else if (key == "output_max") {
      row_.model.output_tokens_max = whole(value);
    } else if (key == "upper_bound") {
      price_.kind = truth(value) ? PriceKind::upper_bound : PriceKind::exact;
    } else if (key == "unbounded") {
      price_.has_unbounded_units = truth(value);
    } else if (key == "regional") {
      regional(value);
    } else if (key == "always") {
      always(value);
    } else if (key == "daily") {
      daily(value);
    } else if (const auto tier = exchange::service_tier_of(key);
               tier && *tier != ServiceTier::standard) {
      price_.service_tiers.push_back({.tier = *tier, .rates = card_under(value)});
    } else {
      fail(fmt::format("has the unknown key `{}`", key));
    }
  }

  static RateCard card_under(const JsonNode& object) {
    if (!object.is_object()) fail(fmt::format("`{}` must be an object", object.key()));
    refuse_repeated_keys(object);
    CardReader card;
    for (const JsonNode& field : object) {
      if (!card.take(field)) {
        fail(fmt::format("has the unknown key `{}.{}`", object.key(), field.key()));
      }
    }
    return card.finish();
  }

  /// What a tier does not say of pieces is as in the standard one.
  void inherit(RateCard& card) const {
    for (std::size_t i = 0; i < exchange::units_count; ++i) {
      const auto unit = static_cast<Unit>(i);
      const auto rate = price_.units[unit];
      if (rate && !card.units[unit]) card.units.set(unit, *rate);
    }
    if (card.per_request.picos == 0) card.per_request = price_.per_request;
  }

  /// "1.1" times: whole thousandths, and never a discount.
  void regional(const JsonNode& value) {
    constexpr std::int64_t nanos_per_permille = 1'000'000;
    constexpr std::int64_t permille_max = 10'000;
    const auto factor = parse_usd(text(value));
    const std::int64_t permille = factor ? factor->nanos() / nanos_per_permille : 0;
    if (permille < 1000 || permille > permille_max || factor->nanos() % nanos_per_permille != 0) {
      fail("`regional` must be a factor from 1 to 10 such as \"1.1\"");
    }
    price_.regional_permille = permille;
  }

  void always(const JsonNode& object) {
    if (!object.is_object()) fail("`always` must be an object");
    refuse_repeated_keys(object);
    for (const JsonNode& field : object) {
      const auto unit = exchange::unit_of(field.key());
      if (!unit) fail(fmt::format("has the unknown key `always.{}`", field.key()));
      price_.always.push_back({.unit = *unit, .count = whole(field)});
    }
  }

  void daily(const JsonNode& list) {
    if (!list.is_array()) fail("`daily` must be a list of objects");
    for (const JsonNode& object : list) {
      if (!object.is_object()) fail("`daily` must be a list of objects");
      refuse_repeated_keys(object);
      DailyCard daily;
      CardReader card;
      bool has_from = false;
      bool has_until = false;
      for (const JsonNode& field : object) {
        if (field.key() == "from") {
          daily.window.begin_minute = minute(field);
          has_from = true;
        } else if (field.key() == "until") {
          daily.window.end_minute = minute(field);
          has_until = true;
        } else if (field.key() == "days") {
          daily.window.weekdays = weekdays(field);
        } else if (!card.take(field)) {
          fail(fmt::format("has the unknown key `daily.{}`", field.key()));
        }
      }
      if (!has_from || !has_until) fail("lacks `from` or `until` in `daily`");
      daily.rates = card.finish();
      price_.daily.push_back(std::move(daily));
    }
  }

  static std::uint8_t weekdays(const JsonNode& list) {
    unsigned days = 0;
    for (const JsonNode& one : list) {
      const auto number = one.integer().value_or(0);
      if (number < 1 || number > 7) fail("`days` must be a list of 1 (Monday) to 7");
      days |= 1U << (number - 1);
    }
    if (days == 0) fail("`days` must be a list of 1 (Monday) to 7");
    return static_cast<std::uint8_t>(days);
  }

  PriceRow row_;
  Price price_;
  CardReader card_;
};

}  // namespace

std::expected<PriceRow, std::string> read_price_row(std::string_view line,
                                                    exchange::JsonTree& tree) {
  if (!tree.read(line) || !tree.root().is_object()) {
    return std::unexpected("is not one JSON object");
  }
  try {
    return RowReader().read(tree.root());
  } catch (const std::runtime_error& error) {
    return std::unexpected(error.what());
  }
}

std::expected<Price, std::string> read_stated_price(std::string_view json) {
  exchange::JsonTree tree;
  if (!tree.read(json) || !tree.root().is_object()) {
    return std::unexpected("is not one JSON object");
  }
  try {
    return RowReader().read_stated(tree.root());
  } catch (const std::runtime_error& error) {
    return std::unexpected(error.what());
  }
}

}  // namespace claviger::catalog
