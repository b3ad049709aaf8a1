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
/// … where it thinks by a budget: the least that a budget may be, and room for an answer
/// (https://platform.claude.com/docs/en/build-with-claude/extended-thinking, 2026-11).
inline constexpr std::int64_t kClampedThinkingTokensMin = 1024 + kClampedOutputTokensMin;
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
  std::int64_t output_tokens_max = 0;    ///< Of each choice.
  std::int64_t output_tokens_least = 0;  ///< The same where a budget clamps.
  std::int64_t choices = 1;
  std::int64_t rounds = 1;  ///< How often the model is asked; the input holds all of them.
  /// Output beside what is generated, for each choice and round: predictions that were not used.
  std::int64_t predicted_tokens_max = 0;
  /// What else may be billed. Its tokens are not looked at.
  catalog::UsageBound usage;
  InputBoundBy input_by = InputBoundBy::bytes;
  /// What adds up to input_tokens_max, except where that is the context limit.
  std::int64_t text_tokens_max = 0;
  PartTokens parts;
  NanoUsd cost_max;
  NanoUsd cost_least;  ///< With the least that a clamped request gets, or what was asked if less.

  /// All that may be billed as output where each choice is bounded by `each_max`.
  std::int64_t all_output_tokens(std::int64_t each_max) const;
};

/// The field for which `price` has no rate although the request may incur it; empty where there is
/// none. The view is the request's.
std::string_view unpriced_field(const exchange::Request& request, const catalog::Price& price,
                                const ModelFamily& family);

/// The cheap bound, which needs no tokenizer. Text is bounded by its bytes, after the worst that
/// a normal form does to them; pictures, sound and documents by their provider's formula; what
/// is not seen, or has no formula, by the model's context limit. Nothing where even that is
/// unknown: such a request cannot be bounded. What unpriced_field() names is left out of it.
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
