#include "exchange/usage.h"

#include <algorithm>

namespace claviger::exchange {
namespace {

constexpr std::array<std::string_view, units_count> unit_names = {"web_search",
                                                                  "search_context_low",
                                                                  "search_context_medium",
                                                                  "search_context_high",
                                                                  "maps_query",
                                                                  "file_search",
                                                                  "code_session",
                                                                  "rerank_search",
                                                                  "image",
                                                                  "page",
                                                                  "character",
                                                                  "audio_input_ms",
                                                                  "audio_output_ms",
                                                                  "video_output_ms"};

constexpr std::array<std::string_view, service_tiers_count> tier_names = {
    "standard", "batch", "flex", "priority", "fast"};

template <typename Enum, std::size_t count>
std::optional<Enum> named(const std::array<std::string_view, count>& names, std::string_view name) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

}  // namespace

std::string_view to_string(Unit unit) {
  return unit_names[static_cast<std::size_t>(unit)];
}

std::optional<Unit> unit_of(std::string_view name) {
  return named<Unit>(unit_names, name);
}

std::string_view to_string(ServiceTier tier) {
  return tier_names[static_cast<std::size_t>(tier)];
}

std::optional<ServiceTier> service_tier_of(std::string_view name) {
  return named<ServiceTier>(tier_names, name);
}

}  // namespace claviger::exchange
