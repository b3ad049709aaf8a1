#pragma once

/// A chat request in nobody's dialect: what translation reads a caller's bytes into, and what a
/// provider's dialect is written from. Used only where caller and provider speak differently;
/// otherwise the caller's bytes pass as they are (exchange/request.h).
///
/// Why features are counted beside the fields: a dialect that has no word for something must
/// say so by the name that the caller gave it, and never leave it out in silence. A reader notes
/// each use with use(); a target states which features it can express; the difference is an
/// error that names the field, or a drop that the caller asked for.
///
/// Texts are views into the caller's body or into what the Conversation keeps itself: an image
/// of ten megabytes is not copied.

#include <bitset>
#include <cstdint>
#include <deque>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "exchange/json_tree.h"

namespace claviger::exchange {

/// A wish that what came before is kept in the provider's cache.
enum class CacheMark : std::uint8_t { none, five_minutes, one_hour };

struct Text {
  std::string_view text;
  /// Of an answer, or of an earlier one: where it comes from, as a JSON array in the words of
  /// the dialect that said it; empty where none. Only that dialect can express it.
  std::string_view citations;
};

/// The model declined, in its own words.
struct Refusal {
  std::string_view text;
};

struct Media {
  enum class Kind : std::uint8_t { image, document, audio };
  enum class Source : std::uint8_t {
    url,
    base64,
    text,     ///< A document that is plain text.
    file_id,  ///< Uploaded to one provider earlier.
  };
  Kind kind = Kind::image;
  Source source = Source::url;
  std::string_view media_type;  ///< `image/png`; empty where only the URL is known.
  std::string_view data;        ///< The URL, the base64, the text or the id.
  std::string_view name;        ///< A document's title or file name.
  std::string_view detail;      ///< An image's: `low`, `high`, `auto`; empty for the default.
};

struct ToolCall {
  std::string_view id;
  std::string_view name;
  std::string_view arguments;  ///< JSON text; an object unless the model failed.
};

struct Part;

struct ToolResult {
  enum class Outcome : std::uint8_t { ok, failed };
  std::string_view call_id;
  std::vector<Part> content;  ///< Text and Media.
  Outcome outcome = Outcome::ok;
};

/// What a model thought before it spoke. The signature is the provider's proof that it did, and
/// must come back to it unchanged; empty where it gave none.
struct Thinking {
  std::string_view text;
  std::string_view signature;
  /// In place of both: thought that only the provider can read.
  std::string_view redacted;
};

struct Part {
  std::variant<Text, Refusal, Media, ToolCall, ToolResult, Thinking> what;
  CacheMark cache = CacheMark::none;
};

enum class Role : std::uint8_t { system, user, assistant };

struct Message {
  Role role = Role::user;
  std::vector<Part> content;
  std::string_view name;  ///< Of the speaker, where several share a role.
};

struct Tool {
  std::string_view name;
  std::string_view description;
  std::string_view schema;  ///< JSON Schema of the arguments, as it was written; may be empty.
  std::optional<bool> strict;
  CacheMark cache = CacheMark::none;
};

struct ToolChoice {
  enum class Kind : std::uint8_t { unset, automatic, none, any, named };
  Kind kind = Kind::unset;
  std::string_view name;
  bool one_at_a_time = false;  ///< Parallel calls are switched off.
};

enum class Effort : std::uint8_t { unset, none, minimal, low, medium, high, xhigh, max };

struct Reasoning {
  Effort effort = Effort::unset;
  std::optional<std::int64_t> budget_tokens;
  bool adaptive = false;  ///< The model decides; `effort` may guide it.
};

struct AnswerFormat {
  enum class Kind : std::uint8_t { text, json_object, json_schema };
  Kind kind = Kind::text;
  std::string_view name;
  std::string_view description;
  std::string_view schema;
  std::optional<bool> strict;
};

/// Numbers are the text that stood there: 0.70 stays 0.70. Empty where absent.
struct Sampling {
  std::string_view temperature;
  std::string_view top_p;
  std::string_view top_k;
  std::string_view seed;
  std::string_view frequency_penalty;
  std::string_view presence_penalty;
  std::string_view logit_bias;    ///< A JSON object.
  std::string_view top_logprobs;  ///< With `logprobs`.
  bool logprobs = false;
  std::int64_t choices = 1;
  std::vector<std::string_view> stop;
};

/// What a request can ask for and a dialect may have no word for.
enum class Feature : std::uint8_t {
  // Content: without it the request would say something else.
  image_url,
  image_data,
  document_url,
  document_data,
  document_text,
  audio,
  uploaded_file,
  tool_result_media,
  prefill,  ///< The last message is the assistant's, to be continued.
  tools,
  unusual_tools,  ///< Tools that are not functions with a schema.
  choice_of_some_tools,
  other_content,
  // Parameters: how it is answered.
  later_system,  ///< A system message behind the first turn.
  speaker_name,
  tool_choice,
  one_tool_at_a_time,
  strict_tools,
  temperature,
  temperature_above_one,
  top_p,
  top_k,
  seed,
  frequency_penalty,
  presence_penalty,
  logit_bias,
  logprobs,
  several_choices,
  stop,
  json_object,
  json_schema,
  reasoning_effort,
  reasoning_budget,
  verbosity,
  stored,
  citations_wanted,
  other_parameter,
  // Hints: the answer is meant to be the same without.
  cache_marks,
  cache_key,
  reasoning_off,
  thinking_back,           ///< What an earlier answer thought, signed.
  unsigned_thinking_back,  ///< The same, without a provider's signature.
  foreign_thinking_back,   ///< The same, encrypted for the provider that thought it.
  citations_back,
  tool_failure,  ///< That a tool failed, beside what it said.
  image_detail,
  document_name,
  safety_settings,  ///< How much a provider's own filter lets pass.
  format_description,
  service_tier,
  metadata,
  end_user,
  long_end_user,  ///< Longer than end_user_bytes_usual_max.
  count_,
};
using FeatureSet = std::bitset<static_cast<std::size_t>(Feature::count_)>;
FeatureSet features(std::initializer_list<Feature> list);
/// The features that a profile may add to its dialect's, by name: `top_k`, `cache_marks`,
/// `prefill`, `reasoning_off`, `reasoning_content` (unsigned thinking back), `reasoning_details`
/// (all thinking back). Nothing where the name is none of them.
std::optional<FeatureSet> features_named(std::string_view name);

/// What `user` holds at OpenAI (https://platform.openai.com/docs/api-reference/chat, 2026-11).
inline constexpr std::size_t end_user_bytes_usual_max = 64;

enum class FeatureClass : std::uint8_t {
  content,    ///< Never left out.
  parameter,  ///< Left out where the caller allows it by name.
  hint,       ///< Left out where there is no word for it, and said so.
};
FeatureClass class_of(Feature feature);

struct FeatureUse {
  Feature feature;
  std::string field;          ///< As the caller calls it: `top_k`, `messages.3.content.0`.
  std::string_view why = {};  ///< A sentence that says what to do; a literal. Mostly empty.
};
inline constexpr std::size_t feature_uses_max = 64;
inline constexpr std::size_t field_name_bytes_max = 96;

/// Not copyable; movable, and its views survive the move.
class Conversation {
 public:
  std::vector<Message> messages;  ///< System messages among them, where they stood.
  std::vector<Tool> tools;
  ToolChoice tool_choice;
  Sampling sampling;
  Reasoning reasoning;
  AnswerFormat format;
  std::optional<std::int64_t> output_tokens_max;
  std::string_view end_user;
  std::string_view service_tier;
  std::string_view verbosity;
  std::string_view metadata;  ///< A JSON object.
  std::string_view cache_key;
  CacheMark cache = CacheMark::none;  ///< Of the whole request.

  /// Each feature once, by where it was first met. `why` is a literal (FeatureUse::why).
  void use(Feature feature, std::string_view field, std::string_view why = {});
  const std::vector<FeatureUse>& uses() const { return uses_; }

  /// Keeps a text for as long as the Conversation lives.
  std::string_view keep(std::string text) { return kept_.emplace_back(std::move(text)); }
  /// Reads a JSON text and keeps the tree. Null where it cannot be read; `json` must outlive.
  const JsonTree* keep_tree(std::string_view json);

 private:
  std::deque<std::string> kept_;
  std::vector<std::unique_ptr<JsonTree>> trees_;
  FeatureSet used_;
  std::vector<FeatureUse> uses_;
};

/// What a target's dialect cannot say, although it has a word for the feature.
struct Untranslatable {
  std::string field;
  std::string why;  ///< A sentence that says what to do.
};

/// Whether `conversation` can be said by a dialect that has words for `expressible`: what is
/// left out (hints, and parameters that `allowed_drops` names: a list of field names parted by
/// commas, or `*`), or the first use that has no word and may not be left out.
std::expected<std::vector<FeatureUse>, FeatureUse> fit(const Conversation& conversation,
                                                       const FeatureSet& expressible,
                                                       std::string_view allowed_drops);

}  // namespace claviger::exchange
