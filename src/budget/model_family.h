#pragma once

/// What is known of a family of models as far as bounding their input is concerned: which
/// tokenizer they have, with certainty or not, and by which formulas their provider counts
/// pictures, sound and documents. A table, each row with its source and date.
///
/// Rows name the provider too: a formula holds where its author serves the model. The same
/// weights elsewhere, or another model of the same name, are counted as somebody else likes.

#include <cstdint>
#include <span>
#include <string_view>

#include "tokenize/expansion.h"
#include "tokenize/tokenizer.h"

namespace claviger::budget {

enum class ImageFormula : std::uint8_t {
  by_context,      ///< None is known: bounded by the model's context limit.
  openai_tiles,    ///< Of 512 pixels, after fitting into 2048 and shortening the short side to 768.
  openai_patches,  ///< Of 32 pixels, times a factor of the model.
  anthropic,       ///< Of 28 pixels, or an area by 750, whichever is more.
  gemini_tiles,    ///< Cut by the shorter side.
  fixed,           ///< The same for every picture.
};

enum class KnownTokenizer : std::uint8_t { not_certain, o200k_base, cl100k_base };

/// Where a number is 0, the model's context limit takes its place.
struct ModelFamily {
  std::string_view provider;      ///< As in `provider/model`; empty for everything unknown.
  std::string_view model_prefix;  ///< The longest that fits decides.
  KnownTokenizer tokenizer = KnownTokenizer::not_certain;
  tokenize::NormalForm form = tokenize::NormalForm::any;
  ImageFormula image_formula = ImageFormula::by_context;
  std::int64_t image_base_tokens = 0;        ///< For each picture, in every formula.
  std::int64_t image_piece_millitokens = 0;  ///< For each tile or patch.
  std::int64_t image_tokens_max = 0;         ///< For a picture that we do not see.
  std::int64_t audio_tokens_per_s = 0;
  std::int64_t document_tokens_max = 0;  ///< For the longest document that is accepted.
  std::int64_t tool_prompt_tokens = 0;   ///< Added once where there are tools, seen nowhere.
  /// How many searches of the web an answer that is grounded in them is billed as; 0 where that
  /// is not bounded.
  std::int64_t grounding_searches_max = 0;
  /// A request that names no service tier is served as the provider's account is set, which may
  /// be dearer than standard.
  bool account_sets_tier = true;
  std::string_view source;

  /// Null where none is certain.
  const tokenize::Tokenizer* exact_tokenizer() const;
};

/// Every row; the last is that of the unknown.
std::span<const ModelFamily> model_families();

/// Never fails: what is not known is bounded by the worst that could be.
const ModelFamily& family_of(std::string_view provider, std::string_view model);

}  // namespace claviger::budget
