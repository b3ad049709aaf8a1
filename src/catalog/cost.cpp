#include <algorithm>
#include <limits>

#include "catalog/price_book.h"

namespace claviger::catalog {
namespace {

using exchange::InputContent;
using exchange::Usage;

/// The rates of one request, once it is known (or feared) how long its input is.
struct Rates {
  PicoUsdPerUnit input;
  PicoUsdPerUnit cached_input;
  PicoUsdPerUnit cache_write;
  PicoUsdPerUnit cache_write_1h;
  PicoUsdPerUnit output;

  PicoUsdPerUnit worst_input() const {
    return std::max({input, cached_input, cache_write, cache_write_1h});
  }
};

Rates base_rates(const Price& price) {
  return {price.input, price.cached_input, price.cache_write, price.cache_write_1h, price.output};
}

Rates long_rates(const LongInputRates& rates) {
  return {rates.input, rates.cached_input, rates.cache_write, rates.cache_write_1h, rates.output};
}

bool is_long(std::int64_t input_tokens, const Price& price) {
  return price.long_input && input_tokens > price.long_input->input_tokens_above;
}

/// Sound keeps its own rate in long inputs: no model has both in its price today.
PicoUsdPerUnit audio_rate(const Rates& rates, const Price& price) {
  return price.audio_input ? std::max(*price.audio_input, rates.input) : rates.input;
}

/// The dearest input and output rates that a request of at most this input could meet. It may
/// turn out shorter, so the rates of short inputs are never out of the question.
struct WorstRates {
  PicoUsdPerUnit input;
  PicoUsdPerUnit output;
};

WorstRates worst_rates(std::int64_t input_tokens_max, const Price& price, InputContent content) {
  const Rates base = base_rates(price);
  WorstRates worst{.input = base.worst_input(), .output = base.output};
  const auto consider_sound = [&](const Rates& rates) {
    if (content == InputContent::text) return;
    worst.input = std::max(worst.input, audio_rate(rates, price));
  };
  consider_sound(base);
  if (is_long(input_tokens_max, price)) {
    const Rates rates = long_rates(*price.long_input);
    worst.input = std::max(worst.input, rates.worst_input());
    worst.output = std::max(worst.output, rates.output);
    consider_sound(rates);
  }
  return worst;
}

std::int64_t not_negative(std::int64_t tokens) {
  return std::max<std::int64_t>(tokens, 0);
}

}  // namespace

PicoUsdPerUnit Price::worst_input() const {
  return worst_rates(std::numeric_limits<std::int64_t>::max(), *this, InputContent::by_model).input;
}

NanoUsd cost_of(const Usage& usage, const Price& price) {
  const Rates rates = is_long(usage.total_input_tokens(), price) ? long_rates(*price.long_input)
                                                                 : base_rates(price);
  const std::int64_t input = not_negative(usage.input_tokens);
  const std::int64_t audio = std::clamp<std::int64_t>(usage.audio_input_tokens, 0, input);
  CostSum sum;
  sum.add(1, price.per_request);
  sum.add(input - audio, rates.input);
  sum.add(audio, audio_rate(rates, price));
  sum.add(not_negative(usage.cached_input_tokens), rates.cached_input);
  sum.add(not_negative(usage.cache_write_tokens), rates.cache_write);
  sum.add(not_negative(usage.cache_write_1h_tokens), rates.cache_write_1h);
  sum.add(not_negative(usage.output_tokens), rates.output);
  return sum.rounded_up();
}

NanoUsd worst_cost(std::int64_t input_tokens_max, std::int64_t output_tokens_max,
                   const Price& price, InputContent content) {
  const WorstRates worst = worst_rates(input_tokens_max, price, content);
  CostSum sum;
  sum.add(1, price.per_request);
  sum.add(not_negative(input_tokens_max), worst.input);
  sum.add(not_negative(output_tokens_max), worst.output);
  return sum.rounded_up();
}

std::int64_t output_tokens_within(NanoUsd money, std::int64_t input_tokens_max, const Price& price,
                                  InputContent content) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  const WorstRates worst = worst_rates(input_tokens_max, price, content);
  const __int128 input = static_cast<__int128>(not_negative(input_tokens_max)) * worst.input.picos;
  const __int128 left =
      static_cast<__int128>(money.nanos()) * 1000 - input - price.per_request.picos;
  if (left < 0) return 0;
  if (worst.output.picos == 0) return most;
  const __int128 tokens = left / worst.output.picos;
  return tokens > most ? most : static_cast<std::int64_t>(tokens);
}

}  // namespace claviger::catalog
