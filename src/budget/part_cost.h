#pragma once

/// What pictures, sound and documents add to a request's input, by their provider's formula.
/// Always an upper bound: where a formula scales down we may count what it started from.

#include <cstdint>
#include <optional>

#include "budget/model_family.h"
#include "exchange/input_parts.h"

namespace claviger::budget {

/// Nothing where no formula is known, or none for a picture that is not seen.
std::optional<std::int64_t> image_tokens_max(const exchange::InputImage& image,
                                             const ModelFamily& family);

struct PartTokens {
  std::int64_t images = 0;
  std::int64_t audio = 0;
  std::int64_t documents = 0;
  std::int64_t total() const { return images + audio + documents; }
  friend bool operator==(const PartTokens&, const PartTokens&) = default;
};

/// Nothing where anything in `parts` has no formula, or is not seen.
std::optional<PartTokens> part_tokens_max(const exchange::InputParts& parts,
                                          const ModelFamily& family);

}  // namespace claviger::budget
