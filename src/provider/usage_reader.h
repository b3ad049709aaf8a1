#pragma once

/// Reads what an answer consumed, of every dialect that providers speak: whole answers, events of
/// streams in any number and order, or the usage object alone. Pure.
///
/// What is inside what differs (2026-11; usage_names.h names the sources):
///
/// | dialect | prompt holds cached | prompt holds cache writes | completion holds reasoning |
/// |---|---|---|---|
/// | OpenAI, Groq, DeepSeek, Mistral, Moonshot, Alibaba, OpenRouter | yes | yes | yes |
/// | xAI chat | yes | - | no: only the total does |
/// | Perplexity deep research | - | - | no, nor the total |
/// | Anthropic, Bedrock Converse | no | no | yes |
/// | Gemini | yes | - | no: `thoughtsTokenCount` beside it, billed as output |
///
/// Streams state their usage once at the end (OpenAI), or running and cumulative (Anthropic's
/// message_delta, Gemini's every chunk): the largest number seen is the true one, so nothing is
/// counted twice, whatever comes again or comes late.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exchange/usage.h"
#include "provider/adapter.h"
#include "provider/usage_names.h"

namespace claviger::exchange {
class JsonNode;
}

namespace claviger::provider {

/// What is known beside the answer. All may be empty.
struct UsageHints {
  std::string_view provider;  ///< Canonical.
  std::string_view model;     ///< As the provider calls it.
};

/// Threads: each belongs to one thread at a time. Fed by outside bytes: never fails, and bounds
/// what it keeps.
class UsageReader {
 public:
  explicit UsageReader(UsageHints hints) : provider_(hints.provider), model_(hints.model) {}

  /// One JSON value: an answer, an event, a usage object, or an array of these. Whatever else it
  /// is says nothing.
  void read(std::string_view json);
  void read(const exchange::JsonNode& value);
  /// One that is known to be a usage object.
  void read_usage(const exchange::JsonNode& usage) { usage_object(usage); }
  /// The same from its text, where that is nothing but counts and objects of counts, as OpenAI's
  /// is: at a third of what a tree costs. Where there is anything else in it, or it is no JSON,
  /// it returns false and has taken nothing.
  bool read_plain_usage(std::string_view json);
  /// The service tier as the answer says it, outside of its usage; empty says nothing.
  void say_tier(std::string_view word);
  /// What was recorded of an answer: JSON, lines of JSON, or the text of a whole event stream.
  void read_recorded(std::string_view text);

  /// `impossible` where a count is negative, no whole number, above exchange::count_max, or
  /// where parts are larger than their whole.
  UsageState state() const;
  exchange::Usage usage() const;
  /// The model that the answer names; empty where none. At most 256 bytes.
  const std::string& model() const { return answer_model_; }

 private:
  using Node = exchange::JsonNode;

  void answer(const Node& root);
  void usage_object(const Node& usage);
  void more(const Node& field);
  struct Path;
  void counts(const Node& object, Path& path, int depth);
  void count(Count which, const Node& value);
  void modalities(const Node& list, Count audio, Count image);
  void cache_details(const Node& list);
  void iterations(const Node& list);
  void cost(const Node& usage);
  void milliseconds(const Node& seconds);
  void tier(const Node& said);
  void tools(const Node& answer);
  std::optional<std::int64_t> whole(const Node& value);
  void at_least(Count which, std::int64_t value);

  std::int64_t get(Count which) const {
    return counts_[static_cast<std::size_t>(which)].value_or(0);
  }
  bool has(Count which) const { return counts_[static_cast<std::size_t>(which)].has_value(); }
  bool has_any() const;
  bool is_input_apart() const;
  std::int64_t output_tokens(std::int64_t prompt) const;
  bool fill(exchange::Usage& usage) const;
  bool fill_input(exchange::Usage& usage) const;
  void fill_units(exchange::Usage& usage) const;

  std::string provider_;
  std::string model_;
  std::string answer_model_;
  std::array<std::optional<std::int64_t>, counts_count> counts_;
  std::optional<NanoUsd> stated_cost_, own_key_cost_;
  std::int64_t audio_input_ms_ = 0;
  exchange::ServiceTier tier_ = exchange::ServiceTier::standard;
  exchange::Geography geography_ = exchange::Geography::anywhere;
  std::optional<exchange::Unit> search_context_;
  bool is_own_key_ = false;
  bool has_audio_ms_ = false;
  bool impossible_ = false;
};

/// What an event of a stream says, over what earlier ones said: counts are cumulative, so the
/// larger of two is the true one, and what is not said again stays. `now` is from an event alone.
exchange::Usage laid_over(const exchange::Usage& before, exchange::Usage now);

}  // namespace claviger::provider
