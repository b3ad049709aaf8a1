#include "budget/estimate.h"

#include <algorithm>

namespace claviger::budget {
namespace {

constexpr std::int64_t kMegabyte = 1'000'000;
constexpr std::int64_t kBytesPerToken = 4;
/// What a chat format adds to each message, and once
/// (https://github.com/openai/openai-cookbook, How_to_count_tokens_with_tiktoken, 2026-11).
constexpr std::int64_t kTokensPerMessage = 4;
constexpr std::int64_t kTokensOnce = 3;
/// `{"role":"user","content":""},`, which is no text.
constexpr std::int64_t kMessageSyntaxBytes = 30;

struct Likely {
  std::int64_t tokens = 0;
  LikelyBy by = LikelyBy::rule_of_thumb;
};

Likely likely_text(const exchange::Request& request,
                   const std::optional<CountedForEstimate>& counted,
                   const std::optional<LearnedFactors>& learned) {
  const std::int64_t bytes =
      static_cast<std::int64_t>(request.body.size()) - request.parts.attached_bytes;
  if (counted) {
    const std::int64_t rest = std::max<std::int64_t>(
        0, bytes - counted->for_hold.json_bytes - request.parts.messages * kMessageSyntaxBytes);
    // Tools and schemas are what the rest is long with; a few options cost nothing.
    const std::int64_t of_rest = request.parts.tools > 0 ? rest / kBytesPerToken : 0;
    return {.tokens = counted->tokens_likely + request.parts.messages * kTokensPerMessage +
                      kTokensOnce + of_rest,
            .by = LikelyBy::tokenizer};
  }
  if (learned) {
    const __int128 tokens = static_cast<__int128>(bytes) * learned->input_tokens_per_megabyte;
    return {.tokens = static_cast<std::int64_t>(tokens / kMegabyte), .by = LikelyBy::learned};
  }
  return {.tokens = bytes / kBytesPerToken, .by = LikelyBy::rule_of_thumb};
}

}  // namespace

void FactorLearner::add(std::int64_t request_bytes, std::int64_t input_tokens,
                        std::int64_t output_tokens) {
  // Small enough that a thousand of them cannot overflow.
  constexpr std::int64_t most = std::int64_t{1} << 40;
  if (request_bytes <= 0 || input_tokens <= 0 || output_tokens < 0) return;
  if (request_bytes > most || input_tokens > most || output_tokens > most) return;
  if (requests_ == std::int64_t{1} << 20) return;
  ++requests_;
  bytes_ += request_bytes;
  input_tokens_ += input_tokens;
  output_tokens_ += output_tokens;
}

std::optional<LearnedFactors> FactorLearner::factors() const {
  if (requests_ < requests_min) return std::nullopt;
  const __int128 per_megabyte = static_cast<__int128>(input_tokens_) * kMegabyte / bytes_;
  return LearnedFactors{.requests = requests_,
                        .input_tokens_per_megabyte = static_cast<std::int64_t>(per_megabyte),
                        .output_tokens_mean = output_tokens_ / requests_};
}

std::string_view to_string(LikelyBy by) {
  switch (by) {
    case LikelyBy::tokenizer:
      return "tokenizer";
    case LikelyBy::learned:
      return "learned";
    case LikelyBy::rule_of_thumb:
      return "rule_of_thumb";
  }
  return "unknown";
}

std::optional<Estimate> estimate(const exchange::Request& request, const catalog::Price& price,
                                 const ModelLimits& limits, const ModelFamily& family,
                                 const std::optional<CountedForEstimate>& counted,
                                 const std::optional<LearnedFactors>& learned) {
  const auto cheap = bound_request(request, price, limits, family);
  if (!cheap) return std::nullopt;
  Estimate result{.cheap = *cheap};
  if (counted) {
    const Bound exact = tightened(*cheap, counted->for_hold, price, limits);
    if (exact.cost_max < cheap->cost_max) result.exact = exact;
  }
  const Likely text = likely_text(request, counted, learned);
  result.input_tokens_likely =
      std::min(text.tokens + cheap->parts.total(), result.tightest().input_tokens_max);
  result.input_likely_by = text.by;

  const std::int64_t each = learned ? learned->output_tokens_mean : kOutputTokensLikely;
  result.output_likely_by = learned ? LikelyBy::learned : LikelyBy::rule_of_thumb;
  result.output_tokens_likely = std::min(each, cheap->output_tokens_max) * cheap->choices;

  exchange::Usage usage;
  usage.input_tokens = result.input_tokens_likely;
  usage.output_tokens = result.output_tokens_likely;
  result.cost_likely = std::min(catalog::cost_of(usage, price), result.tightest().cost_max);
  return result;
}

}  // namespace claviger::budget
