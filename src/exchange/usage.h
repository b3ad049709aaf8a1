#pragma once

/// What an answer consumed, as the provider counted it. Dialects disagree on what is inside
/// what: OpenAI counts cached tokens inside the prompt, Anthropic outside. A dialect's reader
/// brings its own numbers into this form; nobody else needs to know.
///
/// Here the kinds of input do not overlap: all that went in is their sum. Sound and pictures
/// are parts of the kind that they stand beside, because most models price them as text.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/money.h"

namespace claviger::exchange {

/// What is billed by the piece instead of by the token.
enum class Unit : std::uint8_t {
  web_search,             ///< A search of the web by the provider's tool.
  search_context_low,     ///< A request to a model that always searches, with a small …
  search_context_medium,  ///< … a medium …
  search_context_high,    ///< … or a large amount of what was found.
  maps_query,             ///< A request grounded in maps.
  file_search,            ///< A search of stored files by the provider's tool.
  code_session,           ///< A container in which the provider's tool ran code.
  rerank_search,          ///< A query with its documents, as rerankers count.
  image,                  ///< A picture that was made.
  page,                   ///< A page of a document that was read.
  character,              ///< Of text that was spoken, where that is not billed by tokens.
  audio_input_ms,         ///< A millisecond of sound that was heard.
  audio_output_ms,        ///< A millisecond of sound that was made.
  video_output_ms,        ///< A millisecond of film that was made.
};
inline constexpr std::size_t units_count = 14;

/// Stable, for outputs and files: "web_search", "audio_input_ms".
std::string_view to_string(Unit unit);
/// Nothing where no unit has that name.
std::optional<Unit> unit_of(std::string_view name);

/// So many of each unit; mostly none.
class UnitCounts {
 public:
  std::int64_t& operator[](Unit unit) { return counts_[static_cast<std::size_t>(unit)]; }
  std::int64_t operator[](Unit unit) const { return counts_[static_cast<std::size_t>(unit)]; }
  bool is_empty() const {
    std::int64_t any = 0;
    for (const std::int64_t count : counts_) any |= count;
    return any == 0;
  }
  friend bool operator==(const UnitCounts&, const UnitCounts&) = default;

 private:
  std::array<std::int64_t, units_count> counts_{};
};

/// How the request was served, where that changes its price. Whatever a provider calls
/// "default", "on_demand" or "auto" without saying more is `standard`.
enum class ServiceTier : std::uint8_t {
  standard,
  batch,     ///< Hours later.
  flex,      ///< When there is room.
  priority,  ///< Before others.
  fast,      ///< The same model on faster hardware.
};
inline constexpr std::size_t service_tiers_count = 5;
std::string_view to_string(ServiceTier tier);
std::optional<ServiceTier> service_tier_of(std::string_view name);

/// Where the model ran, as far as that changes its price.
enum class Geography : std::uint8_t {
  anywhere,
  regional,  ///< Kept in one region at the caller's wish, for which some providers charge more.
};

/// The largest count that we believe: what a double can still hold exactly, since some
/// providers count in those. More is impossible.
inline constexpr std::int64_t count_max = std::int64_t{1} << 53;

struct Usage {
  std::int64_t input_tokens = 0;           ///< Read afresh: neither cached nor cache writes.
  std::int64_t cached_input_tokens = 0;    ///< Read from the provider's cache.
  std::int64_t cache_write_tokens = 0;     ///< Written to it for 5 minutes.
  std::int64_t cache_write_1h_tokens = 0;  ///< Written to it for an hour.
  std::int64_t output_tokens = 0;          ///< All that was generated, reasoning included.
  std::int64_t reasoning_tokens = 0;       ///< The part of output_tokens nobody sees.
  std::optional<NanoUsd> stated_cost;      ///< Where the provider says it itself (OpenRouter).
  std::int64_t audio_input_tokens = 0;     ///< The part of input_tokens that was sound.
  std::int64_t cached_audio_tokens = 0;    ///< The part of cached_input_tokens that was sound.
  std::int64_t audio_output_tokens = 0;    ///< The part of output_tokens that is sound.
  std::int64_t image_input_tokens = 0;     ///< The part of input_tokens that was pictures.
  std::int64_t cached_image_tokens = 0;    ///< The part of cached_input_tokens that was.
  std::int64_t image_output_tokens = 0;    ///< The part of output_tokens that is.
  UnitCounts units;
  ServiceTier service_tier = ServiceTier::standard;
  Geography geography = Geography::anywhere;

  std::int64_t total_input_tokens() const {
    return input_tokens + cached_input_tokens + cache_write_tokens + cache_write_1h_tokens;
  }
  std::int64_t total_tokens() const { return total_input_tokens() + output_tokens; }
  /// Text in, text out, served as usual: what most requests are, and cheapest to price.
  bool is_plain() const {
    return (audio_input_tokens | cached_audio_tokens | audio_output_tokens | image_input_tokens |
            cached_image_tokens | image_output_tokens) == 0 &&
           service_tier == ServiceTier::standard && geography == Geography::anywhere &&
           units.is_empty();
  }
  friend bool operator==(const Usage&, const Usage&) = default;
};

}  // namespace claviger::exchange
