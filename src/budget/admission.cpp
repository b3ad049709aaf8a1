#include "budget/admission.h"

#include <algorithm>
#include <limits>

namespace claviger::budget {
namespace {

std::int64_t times(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<std::int64_t>::max()
                                                : product;
}

catalog::UsageBound with_tokens(const Bound& bound, std::int64_t each_output_max) {
  catalog::UsageBound usage = bound.usage;
  usage.input_tokens_max = bound.input_tokens_max;
  usage.output_tokens_max = bound.all_output_tokens(each_output_max);
  return usage;
}

/// Costs follow from tokens, and the input from what it is made of.
void complete(Bound& bound, const catalog::Price& price, const ModelLimits& limits,
              std::int64_t clamped_min) {
  if (bound.input_by != InputBoundBy::context) {
    bound.input_tokens_max = bound.text_tokens_max + bound.parts.total() + kTemplateTokensMax;
  }
  const std::int64_t most = times(limits.context_tokens_max, bound.rounds);
  if (limits.context_tokens_max > 0 && bound.input_tokens_max > most) {
    bound.input_tokens_max = most;
    bound.input_by = InputBoundBy::context;
  }
  bound.output_tokens_least = std::min(bound.output_tokens_max, clamped_min);
  bound.cost_max = catalog::worst_cost(with_tokens(bound, bound.output_tokens_max), price);
  bound.cost_least = catalog::worst_cost(with_tokens(bound, bound.output_tokens_least), price);
}

/// Whether what a field asks for has a rate, at every tier that the request may be served at.
class RateFinder {
 public:
  RateFinder(const exchange::Extras& extras, const catalog::Price& price, const ModelFamily& family)
      : price_(price), family_(family) {
    const auto tier = extras.service_tier.value_or(exchange::ServiceTier::standard);
    card_ = price.card_of(tier);
  }
  bool operator()(exchange::Unit unit) const {
    return price_.units[unit] && (card_ == nullptr || card_->units[unit]);
  }
  bool operator()(exchange::ServiceTier tier) const {
    return catalog::is_bounded_by_standard(tier) || price_.card_of(tier) != nullptr;
  }
  bool operator()(exchange::SpokenAnswer /*spoken*/) const {
    return price_.audio_output && (card_ == nullptr || card_->audio_output);
  }
  bool operator()(exchange::ModelsOwnSearch /*search*/) const { return !price_.always.empty(); }
  bool operator()(exchange::GroundingSearches /*searches*/) const {
    return family_.grounding_searches_max > 0 && (*this)(exchange::Unit::web_search);
  }

 private:
  const catalog::Price& price_;
  const ModelFamily& family_;
  const catalog::RateCard* card_ = nullptr;
};

/// What a request may be billed for beside its tokens.
catalog::UsageBound usage_beside_tokens(const exchange::Request& request,
                                        const catalog::Price& price, const ModelFamily& family) {
  const exchange::Extras& extras = request.extras;
  catalog::UsageBound usage;
  usage.input_content = request.input_content;
  usage.output_content =
      extras.has_text_answer_only ? catalog::OutputContent::text : catalog::OutputContent::any;
  usage.geography = extras.geography;
  const RateFinder has_rate(extras, price, family);
  if (extras.service_tier) {
    if (has_rate(*extras.service_tier)) usage.service_tier = *extras.service_tier;
  } else if (family.account_sets_tier) {
    usage.tier_choice = catalog::TierChoice::by_account;
  }
  for (const exchange::PricedField& one : extras.priced_fields) {
    if (!std::visit(has_rate, one.needs)) continue;
    if (const auto* const unit = std::get_if<exchange::Unit>(&one.needs)) {
      usage.units_max[*unit] = extras.units_max[*unit];
    } else if (std::holds_alternative<exchange::GroundingSearches>(one.needs)) {
      usage.units_max[exchange::Unit::web_search] = family.grounding_searches_max;
    }
  }
  return usage;
}

std::int64_t output_tokens_max(const exchange::Request& request, const ModelLimits& limits) {
  if (request.operation != exchange::Operation::chat) return 0;
  const std::int64_t most = limits.output_tokens_max > 0    ? limits.output_tokens_max
                            : limits.context_tokens_max > 0 ? limits.context_tokens_max
                                                            : kOutputTokensDefault;
  return request.output_tokens_max.value_or(most);
}

}  // namespace

std::string_view to_string(InputBoundBy by) {
  switch (by) {
    case InputBoundBy::bytes:
      return "bytes";
    case InputBoundBy::tokenizer:
      return "tokenizer";
    case InputBoundBy::context:
      return "context";
  }
  return "unknown";
}

std::int64_t Bound::all_output_tokens(std::int64_t each_max) const {
  std::int64_t each = 0;
  if (__builtin_add_overflow(each_max, predicted_tokens_max, &each)) {
    each = std::numeric_limits<std::int64_t>::max();
  }
  return times(times(each, choices), rounds);
}

std::string_view unpriced_field(const exchange::Request& request, const catalog::Price& price,
                                const ModelFamily& family) {
  const RateFinder has_rate(request.extras, price, family);
  for (const exchange::PricedField& one : request.extras.priced_fields) {
    if (!std::visit(has_rate, one.needs)) return one.field;
  }
  return {};
}

std::optional<Bound> bound_request(const exchange::Request& request, const catalog::Price& price,
                                   const ModelLimits& limits, const ModelFamily& family) {
  Bound bound;
  bound.choices = std::max<std::int64_t>(1, request.choices);
  bound.rounds = std::max<std::int64_t>(1, request.extras.rounds_max);
  bound.usage = usage_beside_tokens(request, price, family);
  bound.output_tokens_max = output_tokens_max(request, limits);
  const exchange::Span prediction = request.places.prediction_value;
  if (!prediction.empty()) {
    bound.predicted_tokens_max = tokenize::normalised_bytes_max(
        request.body.substr(prediction.begin, prediction.end - prediction.begin), family.form);
  }
  // A reader that describes no parts has seen nothing of what is not text.
  const bool is_described =
      request.input_content == exchange::InputContent::text || !request.parts.is_text();
  // What a provider's tools find goes into the prompt, and nobody sees it before.
  const auto parts =
      is_described && bound.rounds == 1 ? part_tokens_max(request.parts, family) : std::nullopt;
  if (parts) {
    bound.parts = *parts;
    bound.text_tokens_max = tokenize::normalised_bytes_max(request.body, family.form) -
                            request.parts.attached_bytes +
                            (request.parts.tools > 0 ? family.tool_prompt_tokens : 0);
  } else {
    if (limits.context_tokens_max <= 0) return std::nullopt;
    bound.input_by = InputBoundBy::context;
    bound.input_tokens_max = times(limits.context_tokens_max, bound.rounds);
  }
  complete(bound, price, limits,
           request.thinking_tokens_max > 0 ? kClampedThinkingTokensMin : kClampedOutputTokensMin);
  return bound;
}

Bound tightened(const Bound& cheap, const CountedTexts& counted, const catalog::Price& price,
                const ModelLimits& limits) {
  // Where a part has no formula, the context limit is all there is.
  if (cheap.text_tokens_max == 0 || counted.tokens_max >= counted.json_bytes) return cheap;
  Bound bound = cheap;
  bound.input_by = InputBoundBy::tokenizer;
  bound.text_tokens_max = cheap.text_tokens_max - counted.json_bytes + counted.tokens_max;
  complete(bound, price, limits, cheap.output_tokens_least);
  return bound;
}

std::int64_t output_bound_within(NanoUsd granted, const Bound& bound, const catalog::Price& price) {
  const std::int64_t all = catalog::output_tokens_within(granted, with_tokens(bound, 0), price);
  const std::int64_t each = all / times(bound.choices, bound.rounds) - bound.predicted_tokens_max;
  return std::clamp<std::int64_t>(each, 0, bound.output_tokens_max);
}

}  // namespace claviger::budget
