#pragma once

/// What a model costs. Rows come from data/prices.jsonl (each with its source and date) and
/// from owners, who can state the price of their own contract, endpoint or model file.
///
/// A model without a row has no price, which is not the same as a price of zero: a request
/// to it is refused as "cannot be priced" until its owner says what it may cost.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/money.h"
#include "exchange/request.h"
#include "exchange/usage.h"

namespace claviger::catalog {

/// Whether cost_of() says what is billed, or no more than that it is at most so much.
enum class PriceKind : std::uint8_t {
  exact,
  upper_bound,  ///< The price changes by time of day; these are the dearest rates of it.
};

/// Other rates for long inputs: above `input_tokens_above` (cached ones included) the whole
/// request is billed at these, not only what is beyond.
struct LongInputRates {
  std::int64_t input_tokens_above = 0;
  PicoUsdPerUnit input;
  PicoUsdPerUnit cached_input;
  PicoUsdPerUnit cache_write;
  PicoUsdPerUnit cache_write_1h;
  PicoUsdPerUnit output;
  friend bool operator==(const LongInputRates&, const LongInputRates&) = default;
};

/// Rates in pico-dollars per token. Where a rate is absent in the source, the row carries
/// the rate that applies instead (cached reads at the input rate, and so on), so that no
/// arithmetic has to know about absence.
struct Price {
  PicoUsdPerUnit input;
  PicoUsdPerUnit cached_input;
  PicoUsdPerUnit cache_write;
  PicoUsdPerUnit cache_write_1h;
  PicoUsdPerUnit output;
  PicoUsdPerUnit per_request;
  std::string source;  ///< A URL, a package and version, or "owner".
  std::string dated;   ///< ISO date on which the source said so.
  /// For Usage::audio_input_tokens, where sound is priced apart from text.
  std::optional<PicoUsdPerUnit> audio_input;
  std::optional<LongInputRates> long_input;
  PriceKind kind = PriceKind::exact;

  /// The dearest rate that an input token could meet, sound and long inputs included.
  PicoUsdPerUnit worst_input() const;
  friend bool operator==(const Price&, const Price&) = default;
};

struct Model {
  std::string provider;  ///< As in `provider/model`.
  std::string name;      ///< As the provider calls it.
  std::optional<Price> price;
  std::int64_t context_tokens_max = 0;  ///< 0 where unknown.
  std::int64_t output_tokens_max = 0;   ///< 0 where unknown.
};

/// What an answer cost: every kind of token at its rate, rounded up once.
NanoUsd cost_of(const exchange::Usage& usage, const Price& price);

/// The most that a request can cost: `input_tokens_max` at the dearest input rate and
/// `output_tokens_max` at the output rate, with the rates of long inputs where it could reach
/// them. `content` says whether sound could be in it, which some models price apart; the
/// default is the safe one.
NanoUsd worst_cost(std::int64_t input_tokens_max, std::int64_t output_tokens_max,
                   const Price& price,
                   exchange::InputContent content = exchange::InputContent::by_model);

/// How many output tokens `money` still pays for once the input is paid; 0 where none, and the
/// largest number where output costs nothing. worst_cost() with the result is within `money`,
/// unless the input alone is not.
std::int64_t output_tokens_within(
    NanoUsd money, std::int64_t input_tokens_max, const Price& price,
    exchange::InputContent content = exchange::InputContent::by_model);

/// Immutable once built; share it between threads freely. Look-ups take no lock.
class PriceBook {
 public:
  /// The rows that came with this build. Aborts start-up (throws std::runtime_error) where
  /// they cannot be read, which a test rules out.
  static std::shared_ptr<const PriceBook> embedded();
  /// From the text of data/prices.jsonl; throws std::runtime_error naming the line.
  static std::shared_ptr<const PriceBook> parse(std::string_view jsonl);

  virtual ~PriceBook() = default;
  /// Null where unknown. `provider` is canonical (`canonical_provider`).
  virtual const Model* find(std::string_view provider, std::string_view name) const = 0;
  /// All rows, by provider and name.
  virtual const std::vector<Model>& models() const = 0;
};

/// gemini → google, kimi → moonshotai, bedrock → amazon-bedrock, zai → z.ai, …; anything
/// else is returned as it is.
std::string_view canonical_provider(std::string_view provider);

}  // namespace claviger::catalog
