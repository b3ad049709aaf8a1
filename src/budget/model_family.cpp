#include "budget/model_family.h"

namespace claviger::budget {
namespace {

using enum ImageFormula;
using enum KnownTokenizer;
using tokenize::NormalForm;

/// Which vocabulary a model has: PyPI tiktoken 0.14.0, tiktoken/model.py (2026-08).
/// Tiles and patches: https://platform.openai.com/docs/guides/images-vision, "Calculating
/// costs" (2026-11). Patches are counted at the dearest factor of all models that count so,
/// since measured factors differ from the documented ones
/// (https://community.openai.com/t/1377015, 2026-03). Sound: one token for 100 ms of it.
/// Without `service_tier` the project's setting decides: standard, fast or scale
/// (https://platform.openai.com/docs/api-reference/project-service-tier-settings, 2026-11).
constexpr std::string_view openai_source =
    "PyPI tiktoken 0.14.0 and platform.openai.com/docs/guides/images-vision (2026-11)";
/// https://platform.claude.com/docs/en/build-with-claude/vision and …/tool-use/overview, "Pricing"
/// (2026-11). Pictures are scaled down to what a model can see, and never up; so a formula without
/// a ceiling bounds them. The vocabulary is not published; that of 2023 normalised to NFKC (npm
/// @anthropic-ai/tokenizer 0.0.4).
constexpr std::string_view anthropic_source =
    "platform.claude.com/docs/en/build-with-claude/vision (2026-11)";
/// https://ai.google.dev/gemini-api/docs/tokens, …/image-understanding, …/audio,
/// …/document-processing, …/media-resolution (2026-11).
constexpr std::string_view gemini_source = "ai.google.dev/gemini-api/docs/tokens (2026-11)";

constexpr ModelFamily openai(std::string_view prefix, KnownTokenizer tokenizer) {
  return {.provider = "openai",
          .model_prefix = prefix,
          .tokenizer = tokenizer,
          .form = NormalForm::none,
          .source = openai_source};
}

constexpr ModelFamily openai_tiled(std::string_view prefix, KnownTokenizer tokenizer,
                                   std::int64_t base, std::int64_t tile) {
  ModelFamily family = openai(prefix, tokenizer);
  family.image_formula = openai_tiles;
  family.image_base_tokens = base;
  family.image_piece_millitokens = tile * 1000;
  family.image_tokens_max = base + 8 * tile;  // 768 by 2048.
  family.audio_tokens_per_s = 10;
  return family;
}

constexpr std::int64_t dearest_patch_millitokens = 2460;

constexpr ModelFamily openai_patched(std::string_view prefix, std::int64_t patches_max) {
  ModelFamily family = openai(prefix, o200k_base);
  family.image_formula = openai_patches;
  // What a tile model would count for the smallest picture: some names cover both kinds.
  family.image_base_tokens = 255;
  family.image_piece_millitokens = dearest_patch_millitokens;
  family.image_tokens_max = 255 + patches_max * dearest_patch_millitokens / 1000;
  return family;
}

constexpr ModelFamily anthropic_model(std::string_view prefix, std::int64_t image_max) {
  return {.provider = "anthropic",
          .model_prefix = prefix,
          .image_formula = anthropic,
          .image_base_tokens = 16,
          .image_piece_millitokens = 1000,
          .image_tokens_max = image_max,
          .tool_prompt_tokens = 1000,
          .account_sets_tier = false,
          .source = anthropic_source};
}

constexpr ModelFamily gemini(std::string_view prefix, ImageFormula formula,
                             std::int64_t piece_tokens, std::int64_t image_max,
                             std::int64_t document_max) {
  return {.provider = "google",
          .model_prefix = prefix,
          .image_formula = formula,
          .image_base_tokens = 8,
          .image_piece_millitokens = piece_tokens * 1000,
          .image_tokens_max = image_max,
          .audio_tokens_per_s = 32,
          .document_tokens_max = document_max,
          .account_sets_tier = false,
          .source = gemini_source};
}

/// Up to Gemini 2.5 a grounded prompt costs the same however often it searched; from 3 on each
/// query is billed (https://ai.google.dev/gemini-api/docs/pricing, 2026-11).
constexpr ModelFamily billed_once_for_searches(ModelFamily family) {
  family.grounding_searches_max = 1;
  return family;
}

/// Pages that Gemini accepts in a document, each as one tile.
constexpr std::int64_t gemini_document_tokens = 1000 * 258;

constexpr ModelFamily families[] = {
    openai("gpt-3.5-turbo", cl100k_base),
    openai("gpt-4-", cl100k_base),
    openai_tiled("gpt-4-turbo", cl100k_base, 85, 170),
    openai_tiled("gpt-4o", o200k_base, 85, 170),
    openai_tiled("chatgpt-4o-", o200k_base, 85, 170),
    openai_tiled("gpt-4o-mini", o200k_base, 2833, 5667),
    openai_tiled("gpt-4.5-", o200k_base, 85, 170),
    // Its documented patches and its measured tiles differ: patches are never less.
    openai_patched("gpt-4.1", 1536),
    openai_tiled("o1", o200k_base, 75, 150),
    openai_tiled("o3", o200k_base, 75, 150),
    openai_patched("o4-mini", 1536),
    openai_patched("gpt-5", 10'000),
    openai("text-embedding-3-", cl100k_base),
    openai("text-embedding-ada-002", cl100k_base),
    // Every model of OpenAI's has a byte-level vocabulary, whichever it is.
    openai("", not_certain),

    anthropic_model("claude-3", 56 * 56 + 16),         // At most 1568 pixels a side.
    anthropic_model("claude-sonnet-4", 92 * 92 + 16),  // At most 2576 pixels a side.
    anthropic_model("claude-opus-4", 92 * 92 + 16),
    anthropic_model("claude-haiku-4", 92 * 92 + 16),
    anthropic_model("", 0),

    billed_once_for_searches(gemini("gemini-1.5", gemini_tiles, 258, 0, gemini_document_tokens)),
    billed_once_for_searches(gemini("gemini-2", gemini_tiles, 258, 0, gemini_document_tokens)),
    gemini("gemini-3", fixed, 2240, 2248, 0),

    ModelFamily{.source =
                    "nothing is known: the worst of every normal form, and the context limit"},
};

/// gpt-4 alone, of all names that begin so, ends there.
constexpr ModelFamily gpt_4 = openai("gpt-4", cl100k_base);

}  // namespace

const tokenize::Tokenizer* ModelFamily::exact_tokenizer() const {
  switch (tokenizer) {
    case KnownTokenizer::o200k_base:
      return &tokenize::Tokenizer::o200k_base();
    case KnownTokenizer::cl100k_base:
      return &tokenize::Tokenizer::cl100k_base();
    case KnownTokenizer::not_certain:
      break;
  }
  return nullptr;
}

std::span<const ModelFamily> model_families() {
  return families;
}

const ModelFamily& family_of(std::string_view provider, std::string_view model) {
  if (provider == "openai" && model == "gpt-4") return gpt_4;
  const ModelFamily* best = &families[std::size(families) - 1];
  for (const ModelFamily& family : families) {
    if (family.provider != provider || !model.starts_with(family.model_prefix)) continue;
    const bool is_first = best->provider.empty();
    if (is_first || family.model_prefix.size() >= best->model_prefix.size()) best = &family;
  }
  return *best;
}

}  // namespace claviger::budget
