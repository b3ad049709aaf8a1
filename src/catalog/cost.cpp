#include "catalog/cost.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

namespace claviger::catalog {
namespace {

using exchange::Geography;
using exchange::InputContent;
using exchange::ServiceTier;
using exchange::Unit;
using exchange::Usage;
using Femtos = unsigned __int128;

constexpr Femtos femtos_max = ~static_cast<Femtos>(0);
constexpr std::int64_t permille_of_one = 1000;

Femtos plus(Femtos a, Femtos b) {
  Femtos sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? femtos_max : sum;
}

/// 63 bits by 63 bits by a factor of some thousands: saturates far above any NanoUsd.
Femtos femtos_of(std::int64_t units, PicoUsdPerUnit rate, std::int64_t permille) {
  const auto picos = static_cast<Femtos>(units) * static_cast<Femtos>(rate.picos);
  Femtos femtos = 0;
  return __builtin_mul_overflow(picos, static_cast<Femtos>(permille), &femtos) ? femtos_max
                                                                               : femtos;
}

NanoUsd rounded_up(Femtos femtos) {
  constexpr Femtos femtos_per_nano = 1'000'000;
  const Femtos nanos = femtos / femtos_per_nano + (femtos % femtos_per_nano != 0 ? 1 : 0);
  constexpr auto most = static_cast<Femtos>(std::numeric_limits<std::int64_t>::max());
  return nanos > most ? NanoUsd::max() : NanoUsd(static_cast<std::int64_t>(nanos));
}

std::int64_t not_negative(std::int64_t count) {
  return std::max<std::int64_t>(count, 0);
}

std::int64_t saturated_sum(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<std::int64_t>::max() : sum;
}

std::int64_t input_length(const Usage& usage) {
  return saturated_sum(
      saturated_sum(not_negative(usage.input_tokens), not_negative(usage.cached_input_tokens)),
      saturated_sum(not_negative(usage.cache_write_tokens),
                    not_negative(usage.cache_write_1h_tokens)));
}

// The rates of what may be priced apart from text, with what is meant where they are absent.

PicoUsdPerUnit reasoning_rate(const TokenRates& rates) {
  return rates.reasoning.value_or(rates.output);
}
PicoUsdPerUnit audio_input_rate(const TokenRates& rates) {
  return rates.audio_input.value_or(rates.input);
}
PicoUsdPerUnit image_input_rate(const TokenRates& rates) {
  return rates.image_input.value_or(rates.input);
}
PicoUsdPerUnit cached_audio_rate(const TokenRates& rates) {
  if (rates.cached_audio) return *rates.cached_audio;
  return rates.audio_input ? std::max(*rates.audio_input, rates.cached_input) : rates.cached_input;
}
PicoUsdPerUnit cached_image_rate(const TokenRates& rates) {
  if (rates.cached_image) return *rates.cached_image;
  return rates.image_input ? std::max(*rates.image_input, rates.cached_input) : rates.cached_input;
}
PicoUsdPerUnit audio_output_rate(const TokenRates& rates) {
  return rates.audio_output.value_or(rates.output);
}
PicoUsdPerUnit image_output_rate(const TokenRates& rates) {
  return rates.image_output.value_or(rates.output);
}

/// The rates for the whole of a request with so long an input.
const TokenRates& rates_at(const RateCard& card, std::int64_t input_tokens) {
  const TokenRates* rates = &card;
  for (const ContextTier& tier : card.context_tiers) {
    if (input_tokens > tier.input_tokens_above) rates = &tier.rates;
  }
  return *rates;
}

const RateCard& card_or_standard(const Price& price, ServiceTier tier) {
  const RateCard* const card = price.card_of(tier);
  return card != nullptr ? *card : price;
}

const RateCard& card_at(const Price& price, ServiceTier tier, WallTime time) {
  if (tier == ServiceTier::standard) {
    for (const DailyCard& daily : price.daily) {
      if (daily.window.holds(time)) return daily.rates;
    }
  }
  return card_or_standard(price, tier);
}

/// Takes a part out of what is left of a whole.
std::int64_t take(std::int64_t part, std::int64_t& left) {
  const std::int64_t taken = std::clamp<std::int64_t>(part, 0, left);
  left -= taken;
  return taken;
}

/// Emits every line of a bill, in order. `emit(kind, units, rate, permille)`.
template <typename Emit>
class Biller {
 public:
  Biller(const Usage& usage, const Price& price, const RateCard& card, Emit& emit)
      : usage_(usage),
        card_(card),
        rates_(card_.tier_reach == TierReach::whole_request ? rates_at(card_, input_length(usage))
                                                            : card_),
        permille_(usage.geography == Geography::regional ? price.regional_permille
                                                         : permille_of_one),
        emit_(emit) {}

  void bill() {
    input();
    output();
    for (std::size_t i = 0; i < exchange::units_count; ++i) {
      const auto unit = static_cast<Unit>(i);
      piece(to_string(unit), usage_.units[unit], card_.units[unit].value_or(PicoUsdPerUnit{0}));
    }
    if (card_.per_request.picos != 0) piece("request", 1, card_.per_request);
  }

 private:
  using Rate = PicoUsdPerUnit (*)(const TokenRates&);

  void input() {
    std::int64_t cached = not_negative(usage_.cached_input_tokens);
    const std::int64_t cached_images = take(usage_.cached_image_tokens, cached);
    const std::int64_t cached_audio = take(usage_.cached_audio_tokens, cached);
    std::int64_t fresh = not_negative(usage_.input_tokens);
    const std::int64_t images = take(usage_.image_input_tokens, fresh);
    const std::int64_t audio = take(usage_.audio_input_tokens, fresh);
    in("cached_input", cached, [](const TokenRates& rates) { return rates.cached_input; });
    in("cached_image", cached_images, cached_image_rate);
    in("cached_audio", cached_audio, cached_audio_rate);
    in("cache_write", not_negative(usage_.cache_write_tokens),
       [](const TokenRates& rates) { return rates.cache_write; });
    in("cache_write_1h", not_negative(usage_.cache_write_1h_tokens),
       [](const TokenRates& rates) { return rates.cache_write_1h; });
    in("input", fresh, [](const TokenRates& rates) { return rates.input; });
    in("image_input", images, image_input_rate);
    in("audio_input", audio, audio_input_rate);
  }

  void output() {
    std::int64_t text = not_negative(usage_.output_tokens);
    const std::int64_t reasoning = take(usage_.reasoning_tokens, text);
    const std::int64_t images = take(usage_.image_output_tokens, text);
    const std::int64_t audio = take(usage_.audio_output_tokens, text);
    tokens("output", text, rates_.output);
    tokens("reasoning", reasoning, reasoning_rate(rates_));
    tokens("image_output", images, image_output_rate(rates_));
    tokens("audio_output", audio, audio_output_rate(rates_));
  }

  void in(std::string_view kind, std::int64_t units, Rate rate) {
    if (card_.tier_reach == TierReach::whole_request) return tokens(kind, units, rate(rates_));
    // Each tier has the stretch of the input from where it starts to where the next one does.
    const std::int64_t begin = position_;
    position_ = saturated_sum(position_, units);
    const TokenRates* rates = &card_;
    std::int64_t from = 0;
    const auto stretch = [&](std::int64_t until) {
      const std::int64_t inside = std::min(position_, until) - std::max(begin, from);
      if (inside > 0) tokens(kind, inside, rate(*rates));
      from = until;
    };
    for (const ContextTier& tier : card_.context_tiers) {
      stretch(tier.input_tokens_above);
      rates = &tier.rates;
    }
    stretch(std::numeric_limits<std::int64_t>::max());
  }

  void tokens(std::string_view kind, std::int64_t units, PicoUsdPerUnit rate) {
    if (units > 0) emit_(kind, units, rate, permille_);
  }
  void piece(std::string_view kind, std::int64_t units, PicoUsdPerUnit rate) {
    if (units > 0) emit_(kind, units, rate, permille_of_one);
  }

  const Usage& usage_;
  const RateCard& card_;
  const TokenRates& rates_;
  std::int64_t permille_;
  std::int64_t position_ = 0;  ///< In the input, for tiers that reach only their stretch of it.
  Emit& emit_;
};

NanoUsd billed(const Usage& usage, const Price& price, const RateCard& card) {
  Femtos sum = 0;
  auto add = [&](std::string_view, std::int64_t units, PicoUsdPerUnit rate, std::int64_t permille) {
    sum = plus(sum, femtos_of(units, rate, permille));
  };
  Biller(usage, price, card, add).bill();
  return rounded_up(sum);
}

std::vector<CostLine> lines_on(const Usage& usage, const Price& price, const RateCard& card) {
  std::vector<CostLine> lines;
  Femtos surcharge = 0;
  auto add = [&](std::string_view kind, std::int64_t units, PicoUsdPerUnit rate,
                 std::int64_t permille) {
    lines.push_back({.kind = kind,
                     .units = units,
                     .rate = rate,
                     .amount_femtos = femtos_of(units, rate, permille_of_one)});
    surcharge = plus(surcharge, femtos_of(units, rate, permille - permille_of_one));
  };
  Biller(usage, price, card, add).bill();
  if (surcharge != 0) {
    lines.push_back(
        {.kind = "regional_surcharge", .units = 1, .rate = {}, .amount_femtos = surcharge});
  }
  return lines;
}

/// The dearest rates that a token could meet, of every tier that the input could reach. It may
/// turn out shorter than feared, so the rates of short inputs are never out of the question.
struct WorstRates {
  PicoUsdPerUnit input;
  PicoUsdPerUnit output;
};

void consider(WorstRates& worst, const TokenRates& rates, const UsageBound& bound) {
  const auto in = [&](PicoUsdPerUnit rate) { worst.input = std::max(worst.input, rate); };
  const auto out = [&](PicoUsdPerUnit rate) { worst.output = std::max(worst.output, rate); };
  in(rates.input);
  in(rates.cached_input);
  if (bound.cache_writes != CacheWrites::none) in(rates.cache_write);
  if (bound.cache_writes == CacheWrites::any) in(rates.cache_write_1h);
  if (bound.input_content != InputContent::text) {
    in(audio_input_rate(rates));
    in(cached_audio_rate(rates));
    in(image_input_rate(rates));
    in(cached_image_rate(rates));
  }
  out(rates.output);
  out(reasoning_rate(rates));
  if (bound.output_content != OutputContent::text) {
    out(audio_output_rate(rates));
    out(image_output_rate(rates));
  }
}

WorstRates worst_rates(const RateCard& card, const UsageBound& bound) {
  WorstRates worst;
  consider(worst, card, bound);
  for (const ContextTier& tier : card.context_tiers) {
    if (bound.input_tokens_max > tier.input_tokens_above) consider(worst, tier.rates, bound);
  }
  return worst;
}

/// What a request costs at worst: so much whatever is generated, and so much for each token.
struct WorstBill {
  Femtos fixed = 0;
  Femtos per_output_token = 0;
};

WorstBill worst_bill(const RateCard& card, const UsageBound& bound, const Price& price) {
  const std::int64_t permille =
      bound.geography == Geography::regional ? price.regional_permille : permille_of_one;
  const WorstRates worst = worst_rates(card, bound);
  WorstBill bill{.fixed = femtos_of(1, card.per_request, permille_of_one),
                 .per_output_token = femtos_of(1, worst.output, permille)};
  bill.fixed =
      plus(bill.fixed, femtos_of(not_negative(bound.input_tokens_max), worst.input, permille));
  const auto add_pieces = [&](Unit unit, std::int64_t count) {
    if (count <= 0) return;
    const auto rate = card.units[unit];
    bill.fixed = rate ? plus(bill.fixed, femtos_of(count, *rate, permille_of_one)) : femtos_max;
  };
  if (!bound.units_max.is_empty()) {
    for (std::size_t i = 0; i < exchange::units_count; ++i) {
      add_pieces(static_cast<Unit>(i), bound.units_max[static_cast<Unit>(i)]);
    }
  }
  for (const Incurred& incurred : price.always) add_pieces(incurred.unit, incurred.count);
  return bill;
}

/// Those at which a request could be billed. A dearer tier without a price is nothing to bound.
struct Cards {
  std::array<const RateCard*, 3> cards{};
  std::size_t count = 0;
  bool has_unpriced_tier = false;
};

Cards cards_within(const UsageBound& bound, const Price& price) {
  Cards cards;
  cards.cards[cards.count++] = &price;
  if (bound.tier_choice == TierChoice::by_account) {
    for (const ServiceTier tier : {ServiceTier::priority, ServiceTier::fast}) {
      if (const RateCard* const card = price.card_of(tier)) cards.cards[cards.count++] = card;
    }
    return cards;
  }
  if (bound.service_tier == ServiceTier::standard) return cards;
  if (const RateCard* const card = price.card_of(bound.service_tier)) {
    cards.cards[cards.count++] = card;
  } else {
    cards.has_unpriced_tier = !is_bounded_by_standard(bound.service_tier);
  }
  return cards;
}

bool is_unbounded(const UsageBound& bound, const Price& price) {
  const bool has_tokens = bound.input_tokens_max > 0 || bound.output_tokens_max > 0;
  return price.has_unbounded_units || (has_tokens && !price.bills_tokens);
}

UsageBound of_tokens(std::int64_t input_tokens_max, std::int64_t output_tokens_max,
                     InputContent content) {
  return {.input_tokens_max = input_tokens_max,
          .output_tokens_max = output_tokens_max,
          .input_content = content,
          .units_max = {}};
}

}  // namespace

bool is_bounded_by_standard(ServiceTier tier) {
  return tier != ServiceTier::priority && tier != ServiceTier::fast;
}

const RateCard* Price::card_of(ServiceTier tier) const {
  if (tier == ServiceTier::standard) return this;
  for (const ServiceTierCard& card : service_tiers) {
    if (card.tier == tier) return &card.rates;
  }
  return nullptr;
}

PicoUsdPerUnit Price::worst_input() const {
  return worst_rates(*this,
                     of_tokens(std::numeric_limits<std::int64_t>::max(), 0, InputContent::by_model))
      .input;
}

PicoUsdPerUnit Price::worst_output() const {
  return worst_rates(*this,
                     of_tokens(std::numeric_limits<std::int64_t>::max(), 0, InputContent::by_model))
      .output;
}

bool Price::is_free() const {
  const auto costs_nothing = [](const RateCard& card) {
    const WorstRates worst = worst_rates(
        card, of_tokens(std::numeric_limits<std::int64_t>::max(), 0, InputContent::by_model));
    if (worst.input.picos != 0 || worst.output.picos != 0 || card.per_request.picos != 0) {
      return false;
    }
    for (std::size_t i = 0; i < exchange::units_count; ++i) {
      if (card.units[static_cast<Unit>(i)].value_or(PicoUsdPerUnit{0}).picos != 0) return false;
    }
    return true;
  };
  return bills_tokens && costs_nothing(*this) &&
         std::ranges::all_of(
             service_tiers, [&](const ServiceTierCard& card) { return costs_nothing(card.rates); });
}

bool DailyWindow::holds(WallTime time) const {
  using std::chrono::days;
  using std::chrono::floor;
  using std::chrono::minutes;
  const auto day = floor<days>(time);
  const auto minute = floor<minutes>(time - day).count();
  const auto starts_on = [&](std::chrono::sys_days when) {
    const unsigned from_monday = std::chrono::weekday(when).iso_encoding() - 1;
    return (weekdays >> from_monday & 1) != 0;
  };
  if (begin_minute < end_minute) {
    return minute >= begin_minute && minute < end_minute && starts_on(day);
  }
  return (minute >= begin_minute && starts_on(day)) ||
         (minute < end_minute && starts_on(day - days(1)));
}

NanoUsd cost_of(const Usage& usage, const Price& price) {
  if (usage.is_plain() && price.tier_reach == TierReach::whole_request) {
    const TokenRates& rates =
        price.context_tiers.empty() ? price : rates_at(price, input_length(usage));
    if (!rates.reasoning) {
      CostSum sum;
      sum.add(1, price.per_request);
      sum.add(not_negative(usage.input_tokens), rates.input);
      sum.add(not_negative(usage.cached_input_tokens), rates.cached_input);
      sum.add(not_negative(usage.cache_write_tokens), rates.cache_write);
      sum.add(not_negative(usage.cache_write_1h_tokens), rates.cache_write_1h);
      sum.add(not_negative(usage.output_tokens), rates.output);
      return sum.rounded_up();
    }
  }
  return billed(usage, price, card_or_standard(price, usage.service_tier));
}

NanoUsd cost_of(const Usage& usage, const Price& price, WallTime billed_at) {
  if (price.daily.empty()) return cost_of(usage, price);
  return billed(usage, price, card_at(price, usage.service_tier, billed_at));
}

std::vector<std::string> unpriced(const Usage& usage, const Price& price) {
  std::vector<std::string> missing;
  if (!price.bills_tokens && usage.total_tokens() > 0) missing.emplace_back("tokens");
  if (!is_bounded_by_standard(usage.service_tier) && price.card_of(usage.service_tier) == nullptr) {
    missing.push_back(fmt::format("service_tier_{}", to_string(usage.service_tier)));
  }
  if (usage.units.is_empty()) return missing;
  const RateCard& card = card_or_standard(price, usage.service_tier);
  for (std::size_t i = 0; i < exchange::units_count; ++i) {
    const auto unit = static_cast<Unit>(i);
    if (usage.units[unit] > 0 && !card.units[unit]) missing.emplace_back(to_string(unit));
  }
  return missing;
}

bool is_exact(const Usage& usage, const Price& price) {
  return price.daily.empty() && is_exact(usage, price, WallTime{});
}

bool is_exact(const Usage& usage, const Price& price, WallTime /*billed_at*/) {
  if (price.kind != PriceKind::exact) return false;
  if (usage.service_tier != ServiceTier::standard && price.card_of(usage.service_tier) == nullptr) {
    return false;
  }
  return (price.bills_tokens && usage.units.is_empty()) || unpriced(usage, price).empty();
}

Usage with_incurred(Usage usage, const Price& price) {
  const bool says_size = usage.units[Unit::search_context_low] != 0 ||
                         usage.units[Unit::search_context_medium] != 0 ||
                         usage.units[Unit::search_context_high] != 0;
  for (const Incurred& incurred : price.always) {
    if (incurred.unit == Unit::search_context_high && says_size) continue;
    if (usage.units[incurred.unit] == 0) usage.units[incurred.unit] = incurred.count;
  }
  return usage;
}

std::vector<CostLine> lines_of(const Usage& usage, const Price& price) {
  return lines_on(usage, price, card_or_standard(price, usage.service_tier));
}

std::vector<CostLine> lines_of(const Usage& usage, const Price& price, WallTime billed_at) {
  return lines_on(usage, price, card_at(price, usage.service_tier, billed_at));
}

std::string decimal_of_femtos(Femtos femtos) {
  constexpr Femtos femtos_per_dollar = 1'000'000'000'000'000;
  constexpr std::size_t places_min = 2;
  std::string text = fmt::format("{}.{:015}", femtos / femtos_per_dollar,
                                 static_cast<std::uint64_t>(femtos % femtos_per_dollar));
  const std::size_t shortest = text.find('.') + 1 + places_min;
  while (text.size() > shortest && text.back() == '0') text.pop_back();
  return text;
}

NanoUsd worst_cost(const UsageBound& bound, const Price& price) {
  const Cards cards = cards_within(bound, price);
  if (cards.has_unpriced_tier || is_unbounded(bound, price)) return NanoUsd::max();
  Femtos worst = 0;
  for (std::size_t i = 0; i < cards.count; ++i) {
    const WorstBill bill = worst_bill(*cards.cards[i], bound, price);
    Femtos output = 0;
    if (__builtin_mul_overflow(bill.per_output_token,
                               static_cast<Femtos>(not_negative(bound.output_tokens_max)),
                               &output)) {
      output = femtos_max;
    }
    worst = std::max(worst, plus(bill.fixed, output));
  }
  return rounded_up(worst);
}

std::int64_t output_tokens_within(NanoUsd money, const UsageBound& bound, const Price& price) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  constexpr Femtos femtos_per_nano = 1'000'000;
  const Cards cards = cards_within(bound, price);
  if (money.is_negative() || cards.has_unpriced_tier || is_unbounded(bound, price)) return 0;
  const Femtos all = static_cast<Femtos>(money.nanos()) * femtos_per_nano;
  std::int64_t least = most;
  for (std::size_t i = 0; i < cards.count; ++i) {
    const WorstBill bill = worst_bill(*cards.cards[i], bound, price);
    if (bill.fixed > all) return 0;
    if (bill.per_output_token == 0) continue;
    const Femtos tokens = (all - bill.fixed) / bill.per_output_token;
    if (tokens < static_cast<Femtos>(least)) least = static_cast<std::int64_t>(tokens);
  }
  return least;
}

NanoUsd worst_cost(std::int64_t input_tokens_max, std::int64_t output_tokens_max,
                   const Price& price, InputContent content) {
  return worst_cost(of_tokens(input_tokens_max, output_tokens_max, content), price);
}

std::int64_t output_tokens_within(NanoUsd money, std::int64_t input_tokens_max, const Price& price,
                                  InputContent content) {
  return output_tokens_within(money, of_tokens(input_tokens_max, 0, content), price);
}

}  // namespace claviger::catalog
