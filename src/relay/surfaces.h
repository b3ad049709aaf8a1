#pragma once

/// The surfaces on which money can be spent, in one table. Relay::serve() knows no other way to
/// a provider, and a test walks the same table to prove for each of them that no byte leaves
/// before a hold is granted and that every way out settles once. Whoever adds a row adds a
/// request for it there, or the test fails.

#include <optional>
#include <string_view>

#include "exchange/request.h"

namespace claviger::relay {

struct Surface {
  std::string_view path;  ///< Exactly, behind normalisation. The method is POST.
  exchange::DialectId dialect;
  exchange::Operation operation;
  /// Gemini: what stands in the path. The model is still percent-encoded; empty elsewhere, where
  /// the body says it.
  std::string_view model = {};
  exchange::Delivery delivery = exchange::Delivery::whole;
  bool is_batch = false;
};

inline constexpr Surface kSurfaces[] = {
    {"/v1/chat/completions", exchange::DialectId::openai, exchange::Operation::chat},
    {"/v1/embeddings", exchange::DialectId::openai, exchange::Operation::embeddings},
    {"/v1/responses", exchange::DialectId::openai_responses, exchange::Operation::chat},
    {"/v1/messages", exchange::DialectId::anthropic, exchange::Operation::chat},
    {"/v1/messages/count_tokens", exchange::DialectId::anthropic,
     exchange::Operation::count_tokens},
};

/// What can be asked of a model whose name stands in the path: `/v1beta/models/MODEL:VERB`.
struct ModelVerb {
  std::string_view verb;
  exchange::Operation operation;
  exchange::Delivery delivery = exchange::Delivery::whole;
  bool is_batch = false;
};

inline constexpr ModelVerb kModelVerbs[] = {
    {"generateContent", exchange::Operation::chat},
    {"streamGenerateContent", exchange::Operation::chat, exchange::Delivery::streamed},
    {"countTokens", exchange::Operation::count_tokens},
    {"embedContent", exchange::Operation::embeddings},
    {"batchEmbedContents", exchange::Operation::embeddings, exchange::Delivery::whole, true},
};

/// Where models are listed, and the Gemini dialect's calls begin.
inline constexpr std::string_view kModelCollections[] = {"/v1/models", "/v1beta/models"};

/// A model's name may hold '/' and ':'; the verb follows the last colon.
constexpr std::optional<Surface> model_verb_at(std::string_view path) {
  for (const std::string_view collection : kModelCollections) {
    if (!path.starts_with(collection) || path.size() <= collection.size() + 1) continue;
    if (path[collection.size()] != '/') continue;
    const std::string_view rest = path.substr(collection.size() + 1);
    const std::size_t colon = rest.rfind(':');
    if (colon == std::string_view::npos || colon == 0) continue;
    for (const ModelVerb& row : kModelVerbs) {
      if (rest.substr(colon + 1) != row.verb) continue;
      return Surface{.path = path,
                     .dialect = exchange::DialectId::gemini,
                     .operation = row.operation,
                     .model = rest.substr(0, colon),
                     .delivery = row.delivery,
                     .is_batch = row.is_batch};
    }
  }
  return std::nullopt;
}

/// Nothing where no money can be spent at `path`.
constexpr std::optional<Surface> surface_at(std::string_view path) {
  for (const Surface& surface : kSurfaces) {
    if (surface.path == path) return surface;
  }
  return model_verb_at(path);
}

}  // namespace claviger::relay
