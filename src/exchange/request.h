#pragma once

/// One request, provider-neutral: what the way of a request needs to know of it (routing,
/// bounds, delivery), together with the caller's own bytes.
///
/// Why the bytes stay: where caller and provider speak the same dialect, the body is passed
/// on byte for byte apart from what we must change, so that fields we have never heard of
/// survive. Translation between dialects reads the bytes again, into messages; nobody else
/// pays for that.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "exchange/input_parts.h"
#include "exchange/usage.h"

namespace claviger::exchange {

enum class Operation : std::uint8_t {
  chat,
  embeddings,
  count_tokens,  ///< Of a chat request; nothing is generated and nothing is billed.
};
std::string_view to_string(Operation operation);

/// How the answer travels.
enum class Delivery : std::uint8_t { whole, streamed };

/// The dialects that callers and providers speak. A provider of the `openai` dialect takes an
/// OpenAI caller's bytes as they are.
enum class DialectId : std::uint8_t {
  openai,  ///< Chat completions, and whatever has the same errors and lists.
  anthropic,
  gemini,
  openai_responses,  ///< OpenAI's Responses API; some who speak `openai` speak this as well.
};

/// What the input holds, as far as the bound of its cost is concerned (money.md, "Hold").
enum class InputContent : std::uint8_t {
  text,      ///< Bounded by its bytes.
  by_model,  ///< Images, audio, files, references: bounded by the model's context limit.
};

/// The answer is to hold sound, which has a rate of its own.
struct SpokenAnswer {
  friend bool operator==(const SpokenAnswer&, const SpokenAnswer&) = default;
};
/// A search of the web that only models do which search whatever they are asked, and whose price
/// therefore says what that costs.
struct ModelsOwnSearch {
  friend bool operator==(const ModelsOwnSearch&, const ModelsOwnSearch&) = default;
};
/// Searches of the web, as many as the model likes; some models are billed once for all of them.
struct GroundingSearches {
  friend bool operator==(const GroundingSearches&, const GroundingSearches&) = default;
};

/// A field that adds to the bill what only a price with a rate for it can bound. Where there is
/// none, the request is refused by the field's name.
struct PricedField {
  std::string field;
  std::variant<Unit, ServiceTier, SpokenAnswer, ModelsOwnSearch, GroundingSearches> needs;
  friend bool operator==(const PricedField&, const PricedField&) = default;
};

/// What a request may be billed for beyond tokens of text at the usual rates.
struct Extras {
  std::vector<PricedField> priced_fields;  ///< Mostly none.
  UnitCounts units_max;                    ///< Pieces, such as searches, at most.
  /// Nothing: the settings of the provider's account decide.
  std::optional<ServiceTier> service_tier;
  /// The dearest that the fields leave open, also by not saying anything.
  Geography geography = Geography::anywhere;
  bool has_spoken_answer = false;
  /// It says that the answer is text and nothing else. Where nothing is said, some models speak
  /// or paint unasked.
  bool has_text_answer_only = false;
  /// How often the model may be asked at most where the provider runs tools in between. Each time
  /// bills the whole conversation, and may have the whole output bound.
  std::int64_t rounds_max = 1;
};

/// A piece of the body, as offsets: [begin, end). Empty where begin == end.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool empty() const { return begin == end; }
};

/// So many unknown or unbounded fields of a request are named; more say nothing new. Where
/// a list is this long, it may lack some.
inline constexpr std::size_t named_fields_max = 16;

/// Views point into the body that was read; it must outlive the Request.
struct Request {
  Operation operation = Operation::chat;
  DialectId dialect = DialectId::openai;
  Delivery delivery = Delivery::whole;
  std::string_view body;
  std::string model;                              ///< As the caller wrote it, unescaped.
  std::optional<std::int64_t> output_tokens_max;  ///< The larger, where names conflict.
  /// Of the output bound, what the caller gave to thinking; 0 where it is not said.
  std::int64_t thinking_tokens_max = 0;
  std::int64_t choices = 1;  ///< `n` or `best_of`: every choice has the output bound.
  InputContent input_content = InputContent::text;
  InputParts parts;  ///< What that content is. Sizes of the input beside text.
  Extras extras;
  bool is_batch = false;           ///< Several inputs in one request (Gemini's embeddings).
  std::string end_user;            ///< As the application names them; may be empty.
  bool wants_usage_event = false;  ///< Asked for usage in the stream itself.
  /// Fields whose cost cannot be bounded (server-side tools and the like), by name: such a
  /// request is refused unless its model is free.
  std::vector<std::string> unbounded_fields;
  /// Fields that this build does not know, by name. They are passed on; at a provider that
  /// could charge for them they count as unbounded.
  std::vector<std::string> unknown_fields;

  /// Where things stand in the body, for editing without re-writing it.
  /// A value that is `null` has a place too, so that no key is ever written twice.
  struct Places {
    std::size_t after_open_brace = 0;  ///< Behind the top-level '{'.
    Span model_value;                  ///< With its quotes.
    Span output_max_value;             ///< `max_completion_tokens`, where present.
    Span output_max_legacy_value;      ///< `max_tokens`, where present.
    /// Gemini: the opening brace of `generationConfig`, where present.
    Span generation_config_open;
    bool generation_config_is_empty = false;
    Span stream_options_value;   ///< The whole object, or `null`.
    Span include_usage_value;    ///< Inside the former, where present.
    Span thinking_budget_value;  ///< `thinking.budget_tokens`, where present.
    /// OpenAI: `tools` and `response_format` (of the Responses API `text`), where present and not
    /// null.
    Span tools_value;
    Span answer_form_value;
    /// `prediction`: what of it is not used is billed as output, beside what is generated.
    Span prediction_value;
  } places;
};

/// Why a body cannot be read. `field` names the culprit where there is one.
struct BadRequest {
  enum class Code : std::uint8_t {
    malformed_json,
    repeated_key,
    missing_field,
    wrong_type,
    out_of_range
  };
  Code code = Code::malformed_json;
  std::string field;
  std::string message;  ///< A sentence that says what to do.
};

/// What can be told from one event of a stream or from a whole answer, without translating it.
struct AnswerFacts {
  std::string finish_reason;   ///< The provider's own word; empty where absent.
  bool is_end = false;         ///< The stream's terminal marker (`[DONE]`).
  bool is_usage_only = false;  ///< An event that carries usage and no choice.
  bool is_error = false;       ///< An error object where an answer was due.
  bool is_broken = false;      ///< A whole answer's text is no whole JSON object. Not of events.
  /// Where the usage object stands in the text that was read; empty where there is none, or
  /// the text is not one whole JSON object.
  Span usage;
  /// What the first choice of a whole answer says, in the text that was read; each may be empty.
  /// OpenAI's dialect alone tells it, on the way: it costs next to nothing there.
  struct Said {
    Span text;        ///< Of the message, between its quotes, escapes and all.
    Span refusal;     ///< Likewise.
    Span tool_calls;  ///< The array.
  };
  Said said;
  bool is_empty = false;      ///< Of a whole answer to a chat: nothing is in it.
  std::string error_message;  ///< For is_error; bounded to 1 KiB.
  std::string error_code;
};

}  // namespace claviger::exchange
