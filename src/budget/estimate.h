#pragma once

/// What a request will probably cost, for the people who ask: beside the most that it can cost,
/// which is what is held. Nothing here ever serves a hold.

#include <cstdint>
#include <optional>
#include <string_view>

#include "budget/admission.h"

namespace claviger::budget {

/// What settled requests of a model, or of its family, taught. Fixed point: no float is near.
struct LearnedFactors {
  std::int64_t requests = 0;                   ///< It was learned from so many.
  std::int64_t input_tokens_per_megabyte = 0;  ///< Of a request's body.
  std::int64_t output_tokens_mean = 0;
};

/// Adds up settled requests. Holds four numbers, however many there are.
class FactorLearner {
 public:
  /// Fewer teach nothing.
  static constexpr std::int64_t requests_min = 5;

  /// Of one request with its provider's own usage; what is not positive is passed over.
  void add(std::int64_t request_bytes, std::int64_t input_tokens, std::int64_t output_tokens);
  std::optional<LearnedFactors> factors() const;

 private:
  std::int64_t requests_ = 0;
  std::int64_t bytes_ = 0;
  std::int64_t input_tokens_ = 0;
  std::int64_t output_tokens_ = 0;
};

enum class LikelyBy : std::uint8_t {
  tokenizer,      ///< Texts counted exactly.
  learned,        ///< From settled requests.
  rule_of_thumb,  ///< Four bytes to a token.
};
std::string_view to_string(LikelyBy by);

/// Where nothing was learned, an answer of a page.
inline constexpr std::int64_t kOutputTokensLikely = 500;

struct Estimate {
  Bound cheap;                 ///< What is held, where it fits.
  std::optional<Bound> exact;  ///< What is held near the ceiling; none without a known tokenizer.
  std::int64_t input_tokens_likely = 0;
  std::int64_t output_tokens_likely = 0;  ///< Of all choices together.
  NanoUsd cost_likely;
  LikelyBy input_likely_by = LikelyBy::rule_of_thumb;
  LikelyBy output_likely_by = LikelyBy::rule_of_thumb;

  const Bound& tightest() const { return exact ? *exact : cheap; }
};

/// A request's texts where its tokenizer is known: as they probably count, and as they may be
/// counted for a hold.
struct CountedForEstimate {
  std::int64_t tokens_likely = 0;
  CountedTexts for_hold;
};

/// Nothing where the request cannot be bounded.
std::optional<Estimate> estimate(const exchange::Request& request, const catalog::Price& price,
                                 const ModelLimits& limits, const ModelFamily& family,
                                 const std::optional<CountedForEstimate>& counted,
                                 const std::optional<LearnedFactors>& learned);

}  // namespace claviger::budget
