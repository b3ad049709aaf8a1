#pragma once

/// The arithmetic of a hold: from a request to the most that it can cost, and back from what
/// was granted to the output bound that makes it true. Pure.

#include <cstdint>
#include <optional>

#include "base/money.h"
#include "catalog/price_book.h"
#include "exchange/request.h"

namespace claviger::budget {

/// What is known of the model; 0 where it is not.
struct ModelLimits {
  std::int64_t context_tokens_max = 0;
  std::int64_t output_tokens_max = 0;
};

/// Tokens that a chat template may add which stand nowhere in the body: a default system
/// prompt, dates, role markers. (Each message's own markers are paid for by its JSON syntax.)
inline constexpr std::int64_t kTemplateTokensMax = 512;
/// The smallest output bound that a clamped request gets, unless it asked for less itself.
inline constexpr std::int64_t kClampedOutputTokensMin = 256;
/// Where neither the caller nor the catalog knows a bound.
inline constexpr std::int64_t kOutputTokensDefault = 4096;

struct Bound {
  std::int64_t input_tokens_max = 0;
  std::int64_t output_tokens_max = 0;  ///< Of each choice.
  std::int64_t choices = 1;
  exchange::InputContent input_content = exchange::InputContent::text;
  NanoUsd cost_max;
  NanoUsd cost_least;  ///< With kClampedOutputTokensMin, or what was asked if that is less.
};

/// A byte-level tokenizer makes at most one token of a byte, so text is bounded by the bytes
/// of its body; images, files and references by the model's context limit. Nothing where even
/// that is unknown: such a request cannot be bounded.
std::optional<Bound> bound_request(const exchange::Request& request, const catalog::Price& price,
                                   const ModelLimits& limits);

/// The output bound, of each choice, that `granted` pays for; never above the request's own,
/// and 0 where it does not even pay for the input.
std::int64_t output_bound_within(NanoUsd granted, const Bound& bound, const catalog::Price& price);

}  // namespace claviger::budget
