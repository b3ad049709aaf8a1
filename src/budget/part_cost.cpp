#include "budget/part_cost.h"

#include <algorithm>

namespace claviger::budget {
namespace {

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

std::int64_t pieces(std::int64_t width, std::int64_t height, std::int64_t side) {
  return divide_up(width, side) * divide_up(height, side);
}

/// To fit into 2048 by 2048, then until the shorter side is 768; never enlarged
/// (https://learn.microsoft.com/azure/ai-services/openai/overview, "Image tokens", 2026-11).
std::int64_t openai_tile_count(std::int64_t width, std::int64_t height) {
  std::int64_t longer = std::max(width, height);
  std::int64_t shorter = std::min(width, height);
  if (longer > 2048) {
    shorter = divide_up(shorter * 2048, longer);
    longer = 2048;
  }
  if (shorter > 768) {
    longer = divide_up(longer * 768, shorter);
    shorter = 768;
  }
  return pieces(longer, shorter, 512);
}

/// Pictures up to 384 pixels are one tile; larger ones are cut into squares of two thirds of
/// their shorter side, between 256 and 768 pixels.
std::int64_t gemini_tile_count(std::int64_t width, std::int64_t height) {
  if (width <= 384 && height <= 384) return 1;
  const std::int64_t side = std::clamp<std::int64_t>(std::min(width, height) * 2 / 3, 256, 768);
  return pieces(width, height, side);
}

std::int64_t piece_count(const exchange::InputImage& image, const ModelFamily& family) {
  const std::int64_t width = image.width_px;
  const std::int64_t height = image.height_px;
  switch (family.image_formula) {
    case ImageFormula::openai_tiles:
      return image.detail == exchange::ImageDetail::low ? 0 : openai_tile_count(width, height);
    case ImageFormula::openai_patches:
      return pieces(width, height, 32);
    case ImageFormula::anthropic:
      return std::max(pieces(width, height, 28), divide_up(width * height, 750));
    case ImageFormula::gemini_tiles:
      return gemini_tile_count(width, height);
    case ImageFormula::fixed:
      return 1;
    case ImageFormula::by_context:
      break;
  }
  return 0;
}

/// Larger than any picture that a provider takes, and small enough to multiply.
constexpr std::uint32_t side_px_max = 1u << 20;

}  // namespace

std::optional<std::int64_t> image_tokens_max(const exchange::InputImage& image,
                                             const ModelFamily& family) {
  if (family.image_formula == ImageFormula::by_context) return std::nullopt;
  const bool is_seen = image.width_px != 0 && image.width_px <= side_px_max &&
                       image.height_px != 0 && image.height_px <= side_px_max;
  if (is_seen) {
    return family.image_base_tokens +
           divide_up(piece_count(image, family) * family.image_piece_millitokens, 1000);
  }
  if (family.image_tokens_max == 0) return std::nullopt;
  return family.image_tokens_max;
}

std::optional<PartTokens> part_tokens_max(const exchange::InputParts& parts,
                                          const ModelFamily& family) {
  if (parts.unseen != 0) return std::nullopt;
  PartTokens tokens;
  for (const exchange::InputImage& image : parts.images) {
    const auto one = image_tokens_max(image, family);
    if (!one || __builtin_add_overflow(tokens.images, *one, &tokens.images)) return std::nullopt;
  }
  if (parts.audio_count != 0) {
    if (family.audio_tokens_per_s == 0) return std::nullopt;
    tokens.audio =
        parts.audio_count + divide_up(parts.audio_ms_max, 1000) * family.audio_tokens_per_s;
  }
  if (parts.documents != 0) {
    if (family.document_tokens_max == 0) return std::nullopt;
    tokens.documents = parts.documents * family.document_tokens_max;
  }
  return tokens;
}

}  // namespace claviger::budget
