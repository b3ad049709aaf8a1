#pragma once

/// What one model costs at one provider: a rate for every kind of thing that can be billed.
///
/// Rates of text are always there: where a source has none, its reader fills in the rate that
/// applies instead (cached reads at the input rate, and so on), so that no arithmetic has to
/// know about absence. All others are absent unless a source states them: for a search or a
/// picture without a rate, nobody can say what it costs, and that is not zero.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/money.h"
#include "base/time.h"
#include "exchange/usage.h"

namespace claviger::catalog {

/// Rates in pico-dollars per token.
struct TokenRates {
  PicoUsdPerUnit input;
  PicoUsdPerUnit cached_input;
  PicoUsdPerUnit cache_write;     ///< For 5 minutes.
  PicoUsdPerUnit cache_write_1h;  ///< For an hour.
  PicoUsdPerUnit output;
  /// What is priced apart from text. Absent: as text of its kind, and cached sound or pictures
  /// at the dearer of cached text and their own fresh rate.
  std::optional<PicoUsdPerUnit> reasoning;
  std::optional<PicoUsdPerUnit> audio_input;
  std::optional<PicoUsdPerUnit> cached_audio;
  std::optional<PicoUsdPerUnit> audio_output;
  std::optional<PicoUsdPerUnit> image_input;
  std::optional<PicoUsdPerUnit> cached_image;
  std::optional<PicoUsdPerUnit> image_output;
  friend bool operator==(const TokenRates&, const TokenRates&) = default;
};

/// Rates in pico-dollars per piece; absent where the source states none. Few prices have any.
class UnitRates {
 public:
  std::optional<PicoUsdPerUnit> operator[](exchange::Unit unit) const {
    for (const Entry& entry : entries_) {
      if (entry.unit == unit) return entry.rate;
    }
    return std::nullopt;
  }
  void set(exchange::Unit unit, PicoUsdPerUnit rate) {
    for (Entry& entry : entries_) {
      if (entry.unit == unit) {
        entry.rate = rate;
        return;
      }
    }
    entries_.push_back({unit, rate});
  }
  bool is_empty() const { return entries_.empty(); }
  friend bool operator==(const UnitRates&, const UnitRates&) = default;

 private:
  struct Entry {
    exchange::Unit unit;
    PicoUsdPerUnit rate;
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  std::vector<Entry> entries_;
};

/// Other rates for long inputs, cached ones included in the length.
struct ContextTier {
  std::int64_t input_tokens_above = 0;
  TokenRates rates;
  friend bool operator==(const ContextTier&, const ContextTier&) = default;
};

/// What of a long request is billed at the rates of its tier.
enum class TierReach : std::uint8_t {
  whole_request,  ///< All of it, output included: what every provider known to us does.
  excess_only,    ///< Input beyond the tier's start; output stays at the first tier's rate.
};

/// All rates of one way to be served.
struct RateCard : TokenRates {
  std::vector<ContextTier> context_tiers;  ///< By length, ascending; mostly none.
  TierReach tier_reach = TierReach::whole_request;
  UnitRates units;
  PicoUsdPerUnit per_request;
  friend bool operator==(const RateCard&, const RateCard&) = default;
};

struct ServiceTierCard {
  exchange::ServiceTier tier = exchange::ServiceTier::standard;
  RateCard rates;
  friend bool operator==(const ServiceTierCard&, const ServiceTierCard&) = default;
};

/// So many pieces of a kind.
struct Incurred {
  exchange::Unit unit = exchange::Unit::web_search;
  std::int64_t count = 0;
  friend bool operator==(const Incurred&, const Incurred&) = default;
};

/// Minutes of a week's day, UTC. A window that ends before it starts goes on into the next day.
struct DailyWindow {
  std::uint8_t weekdays = 0x7F;  ///< Monday is bit 0: the days on which it starts.
  std::uint16_t begin_minute = 0;
  std::uint16_t end_minute = 0;
  bool holds(WallTime time) const;
  friend bool operator==(const DailyWindow&, const DailyWindow&) = default;
};

/// The standard tier's rates at certain times; never dearer than the price's own.
struct DailyCard {
  DailyWindow window;
  RateCard rates;
  friend bool operator==(const DailyCard&, const DailyCard&) = default;
};

/// Whether cost_of() says what is billed, or no more than that it is at most so much.
enum class PriceKind : std::uint8_t {
  exact,
  /// The dearest rates of several, such as of a day, or what an owner states as a ceiling for a
  /// model whose price is not known.
  upper_bound,
};

/// The card of the standard tier, and what else there is. Immutable once in a book.
struct Price : RateCard {
  std::vector<ServiceTierCard> service_tiers;  ///< Those priced apart; mostly none.
  std::vector<DailyCard> daily;                ///< Cheaper times of the day; mostly none.
  /// What tokens cost where the caller has them kept in a region, in thousandths.
  std::int64_t regional_permille = 1000;
  PriceKind kind = PriceKind::exact;
  /// False for what is billed by the piece alone: tokens of it have no price, not a free one.
  bool bills_tokens = true;
  /// What every request may incur without asking for it: a model that always searches.
  std::vector<Incurred> always;
  /// It may incur pieces that nothing bounds, such as a research model's searches: answers can be
  /// priced, requests cannot be bounded.
  bool has_unbounded_units = false;
  std::string source;  ///< A URL, a package and version, or "owner".
  std::string dated;   ///< ISO date on which the source said so.

  /// The card for a tier; null where it is not priced.
  const RateCard* card_of(exchange::ServiceTier tier) const;
  /// The dearest rate that an input token could meet in the standard tier, sound, pictures,
  /// cache writes and long inputs included.
  PicoUsdPerUnit worst_input() const;
  PicoUsdPerUnit worst_output() const;
  /// Nothing that could be asked of it costs anything.
  bool is_free() const;
  friend bool operator==(const Price&, const Price&) = default;
};

/// Shared by the book, routes and requests; never changes.
using SharedPrice = std::shared_ptr<const Price>;

}  // namespace claviger::catalog
