#pragma once

/// The arithmetic of a hold: from a request to the most that it can cost, and back from what
/// was granted to the output bound that makes it true. Pure.

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/money.h"
#include "budget/model_family.h"
#include "budget/part_cost.h"
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

/// What the bound of the input rests on.
enum class InputBoundBy : std::uint8_t {
  bytes,      ///< Of the text, and formulas for the rest.
  tokenizer,  ///< Texts counted exactly; the rest as above.
  context,    ///< More than the model takes cannot be sent.
};
std::string_view to_string(InputBoundBy by);

struct Bound {
  std::int64_t input_tokens_max = 0;
  std::int64_t output_tokens_max = 0;  ///< Of each choice.
  std::int64_t choices = 1;
  exchange::InputContent input_content = exchange::InputContent::text;
  InputBoundBy input_by = InputBoundBy::bytes;
  /// What adds up to input_tokens_max, except where that is the context limit.
  std::int64_t text_tokens_max = 0;
  PartTokens parts;
  NanoUsd cost_max;
  NanoUsd cost_least;  ///< With kClampedOutputTokensMin, or what was asked if that is less.
};

/// The cheap bound, which needs no tokenizer. Text is bounded by its bytes, after the worst that
/// a normal form does to them; pictures, sound and documents by their provider's formula; what
/// is not seen, or has no formula, by the model's context limit. Nothing where even that is
/// unknown: such a request cannot be bounded.
std::optional<Bound> bound_request(const exchange::Request& request, const catalog::Price& price,
                                   const ModelLimits& limits, const ModelFamily& family);

/// Texts that were counted exactly: how many tokens they are, at most, and how many bytes of the
/// body they were counted as in the cheap bound.
struct CountedTexts {
  std::int64_t tokens_max = 0;
  std::int64_t json_bytes = 0;
};

/// The bound with exact counts in place of bytes, where the cheap one does not fit. Never above
/// `cheap`.
Bound tightened(const Bound& cheap, const CountedTexts& counted, const catalog::Price& price,
                const ModelLimits& limits);

/// The output bound, of each choice, that `granted` pays for; never above the request's own,
/// and 0 where it does not even pay for the input.
std::int64_t output_bound_within(NanoUsd granted, const Bound& bound, const catalog::Price& price);

}  // namespace claviger::budget
