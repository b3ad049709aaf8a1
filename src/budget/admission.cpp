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

}  // namespace

std::optional<Bound> bound_request(const exchange::Request& request, const catalog::Price& price,
                                   const ModelLimits& limits) {
  Bound bound;
  bound.choices = std::max<std::int64_t>(1, request.choices);
  bound.input_content = request.input_content;
  if (request.input_content == exchange::InputContent::by_model) {
    if (limits.context_tokens_max <= 0) return std::nullopt;
    bound.input_tokens_max = limits.context_tokens_max;
  } else {
    bound.input_tokens_max = static_cast<std::int64_t>(request.body.size()) + kTemplateTokensMax;
    if (limits.context_tokens_max > 0) {
      bound.input_tokens_max = std::min(bound.input_tokens_max, limits.context_tokens_max);
    }
  }
  if (request.operation == exchange::Operation::chat) {
    const std::int64_t most = limits.output_tokens_max > 0    ? limits.output_tokens_max
                              : limits.context_tokens_max > 0 ? limits.context_tokens_max
                                                              : kOutputTokensDefault;
    bound.output_tokens_max = request.output_tokens_max.value_or(most);
  }
  const std::int64_t least = std::min(bound.output_tokens_max, kClampedOutputTokensMin);
  bound.cost_max =
      catalog::worst_cost(bound.input_tokens_max, times(bound.output_tokens_max, bound.choices),
                          price, bound.input_content);
  bound.cost_least = catalog::worst_cost(bound.input_tokens_max, times(least, bound.choices), price,
                                         bound.input_content);
  return bound;
}

std::int64_t output_bound_within(NanoUsd granted, const Bound& bound, const catalog::Price& price) {
  const std::int64_t all =
      catalog::output_tokens_within(granted, bound.input_tokens_max, price, bound.input_content);
  return std::min(all / bound.choices, bound.output_tokens_max);
}

}  // namespace claviger::budget
