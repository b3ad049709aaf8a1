#include <algorithm>
#include <iterator>

#include "catalog/price_book.h"

namespace claviger::catalog {
namespace {

struct Alias {
  std::string_view alias;
  std::string_view provider;
};

/// What people and other catalogs call a provider, sorted. The canonical names are those of
/// data/providers.toml and data/prices.jsonl.
constexpr Alias aliases[] = {
    {"aws", "amazon-bedrock"},
    {"aws-bedrock", "amazon-bedrock"},
    {"azure-openai", "azure"},
    {"bedrock", "amazon-bedrock"},
    {"claude", "anthropic"},
    {"fireworks-ai", "fireworks"},
    {"gemini", "google"},
    {"google-ai-studio", "google"},
    {"google-gemini", "google"},
    {"grok", "xai"},
    {"kimi", "moonshotai"},
    {"llama.cpp", "local"},
    {"lm-studio", "lmstudio"},
    {"mistralai", "mistral"},
    {"moonshot", "moonshotai"},
    {"open-router", "openrouter"},
    {"together-ai", "together"},
    {"together.ai", "together"},
    {"togetherai", "together"},
    {"voyage", "voyageai"},
    {"x-ai", "xai"},
    {"x.ai", "xai"},
    {"z-ai", "z.ai"},
    {"zai", "z.ai"},
};

constexpr bool by_alias(const Alias& a, const Alias& b) {
  return a.alias < b.alias;
}
static_assert(std::is_sorted(std::begin(aliases), std::end(aliases), by_alias));

}  // namespace

std::string_view canonical_provider(std::string_view provider) {
  const Alias* const found =
      std::lower_bound(std::begin(aliases), std::end(aliases), Alias{provider, {}}, by_alias);
  return found != std::end(aliases) && found->alias == provider ? found->provider : provider;
}

}  // namespace claviger::catalog
