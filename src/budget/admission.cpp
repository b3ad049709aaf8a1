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

/// Costs follow from tokens, and the input from what it is made of.
void complete(Bound& bound, const catalog::Price& price, const ModelLimits& limits) {
  if (bound.input_by != InputBoundBy::context) {
    bound.input_tokens_max = bound.text_tokens_max + bound.parts.total() + kTemplateTokensMax;
  }
  if (limits.context_tokens_max > 0 && bound.input_tokens_max > limits.context_tokens_max) {
    bound.input_tokens_max = limits.context_tokens_max;
    bound.input_by = InputBoundBy::context;
  }
  const std::int64_t least = std::min(bound.output_tokens_max, kClampedOutputTokensMin);
  bound.cost_max =
      catalog::worst_cost(bound.input_tokens_max, times(bound.output_tokens_max, bound.choices),
                          price, bound.input_content);
  bound.cost_least = catalog::worst_cost(bound.input_tokens_max, times(least, bound.choices), price,
                                         bound.input_content);
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

std::optional<Bound> bound_request(const exchange::Request& request, const catalog::Price& price,
                                   const ModelLimits& limits, const ModelFamily& family) {
  Bound bound;
  bound.choices = std::max<std::int64_t>(1, request.choices);
  bound.input_content = request.input_content;
  bound.output_tokens_max = output_tokens_max(request, limits);
  // A reader that describes no parts has seen nothing of what is not text.
  const bool is_described =
      request.input_content == exchange::InputContent::text || !request.parts.is_text();
  const auto parts = is_described ? part_tokens_max(request.parts, family) : std::nullopt;
  if (parts) {
    bound.parts = *parts;
    bound.text_tokens_max = tokenize::normalised_bytes_max(request.body, family.form) -
                            request.parts.attached_bytes +
                            (request.parts.tools > 0 ? family.tool_prompt_tokens : 0);
  } else {
    if (limits.context_tokens_max <= 0) return std::nullopt;
    bound.input_by = InputBoundBy::context;
    bound.input_tokens_max = limits.context_tokens_max;
  }
  complete(bound, price, limits);
  return bound;
}

Bound tightened(const Bound& cheap, const CountedTexts& counted, const catalog::Price& price,
                const ModelLimits& limits) {
  // Where a part has no formula, the context limit is all there is.
  if (cheap.text_tokens_max == 0 || counted.tokens_max >= counted.json_bytes) return cheap;
  Bound bound = cheap;
  bound.input_by = InputBoundBy::tokenizer;
  bound.text_tokens_max = cheap.text_tokens_max - counted.json_bytes + counted.tokens_max;
  complete(bound, price, limits);
  return bound;
}

std::int64_t output_bound_within(NanoUsd granted, const Bound& bound, const catalog::Price& price) {
  const std::int64_t all =
      catalog::output_tokens_within(granted, bound.input_tokens_max, price, bound.input_content);
  return std::min(all / bound.choices, bound.output_tokens_max);
}

}  // namespace claviger::budget
