#include "provider/openai_answer.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "exchange/json_scratch.h"
#include "exchange/json_writer.h"
#include "provider/openai_adapter.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace claviger::provider::openai {
namespace {

using exchange::AnswerFacts;
using exchange::Usage;
using simdjson::SUCCESS;
using simdjson::ondemand::json_type;
using simdjson::ondemand::value;

std::string_view trimmed(std::string_view token) {
  while (!token.empty() &&
         std::string_view(" \n\r\t").find(token.back()) != std::string_view::npos) {
    token.remove_suffix(1);
  }
  return token;
}

bool is(value& value, json_type wanted) {
  json_type type{};
  return value.type().get(type) == SUCCESS && type == wanted;
}

/// Calls `each(key, value)` for every field; false where the object cannot be read.
template <typename Each>
bool each_field(simdjson::simdjson_result<simdjson::ondemand::object> result, Each&& each) {
  simdjson::ondemand::object object;
  if (std::move(result).get(object) != SUCCESS) return false;
  for (auto item : object) {
    simdjson::ondemand::field field;
    std::string_view key;
    if (std::move(item).get(field) != SUCCESS) return false;
    if (field.unescaped_key().get(key) != SUCCESS) return false;
    if (!each(key, field.value())) return false;
  }
  return true;
}

/// The counts of one usage object, as they stand there. Sources, with the shapes in
/// src/provider/testdata/README.md: OpenAI (npm openai 6.49.0, CompletionUsage), DeepSeek
/// (prompt_cache_hit_tokens), Moonshot (cached_tokens at the top), OpenRouter (cost, is_byok,
/// cost_details), xAI (cost_in_usd_ticks); 2026-11.
class UsageReader {
 public:
  void read(value& usage) {
    const bool whole = each_field(usage.get_object(), [this](std::string_view key, value inner) {
      return field(key, inner);
    });
    if (!whole) impossible_ = true;
  }

  UsageState state() const {
    if (impossible_) return UsageState::impossible;
    return prompt_ || completion_ || total_ || cost_ || ticks_ ? UsageState::sound
                                                               : UsageState::absent;
  }

  /// In Claviger's form. May find that the counts contradict one another.
  Usage result();

 private:
  bool field(std::string_view key, value& inner);
  bool prompt_details(value& details);
  void count(value& value, std::optional<std::int64_t>& target);
  void dollars(value& value, std::optional<NanoUsd>& target);
  std::int64_t output_tokens(std::int64_t prompt, std::int64_t reasoning);
  std::optional<NanoUsd> stated_cost() const;

  bool impossible_ = false;
  bool is_byok_ = false;
  std::optional<std::int64_t> prompt_, completion_, total_, cached_, cache_write_, audio_,
      reasoning_, ticks_;
  std::optional<NanoUsd> cost_, own_key_cost_;
};

void UsageReader::count(value& value, std::optional<std::int64_t>& target) {
  if (is(value, json_type::null)) return;
  std::int64_t tokens = 0;
  const std::string_view token = trimmed(value.raw_json_token());
  const bool whole = is(value, json_type::number) &&
                     token.find_first_of(".eE") == std::string_view::npos &&
                     value.get_int64().get(tokens) == SUCCESS;
  if (!whole || tokens < 0 || tokens > exchange::count_max) {
    impossible_ = true;
    return;
  }
  target = tokens;
}

void UsageReader::dollars(value& value, std::optional<NanoUsd>& target) {
  // A cost that is no number (an object, in Perplexity's answers) is not one that we know.
  if (!is(value, json_type::number)) return;
  const auto cost = parse_stated_cost(trimmed(value.raw_json_token()));
  if (cost) {
    target = *cost;
  } else {
    impossible_ = true;
  }
}

bool UsageReader::prompt_details(value& details) {
  return each_field(details.get_object(), [this](std::string_view key, value inner) {
    if (key == "cached_tokens") count(inner, cached_);
    if (key == "cache_write_tokens") count(inner, cache_write_);
    if (key == "audio_tokens") count(inner, audio_);
    return true;
  });
}

bool UsageReader::field(std::string_view key, value& inner) {
  if (key == "prompt_tokens") count(inner, prompt_);
  if (key == "completion_tokens") count(inner, completion_);
  if (key == "total_tokens") count(inner, total_);
  if (key == "prompt_cache_hit_tokens" || key == "cached_tokens") count(inner, cached_);
  if (key == "reasoning_tokens") count(inner, reasoning_);
  if (key == "cost") dollars(inner, cost_);
  if (key == "is_byok") is_byok_ = trimmed(inner.raw_json_token()) == "true";
  if (key == "cost_in_usd_ticks" && is(inner, json_type::number)) {
    std::int64_t ticks = 0;
    if (inner.get_int64().get(ticks) != SUCCESS || ticks < 0) {
      impossible_ = true;
    } else {
      ticks_ = ticks;
    }
  }
  if (key == "prompt_tokens_details" && is(inner, json_type::object)) return prompt_details(inner);
  if (key == "completion_tokens_details" && is(inner, json_type::object)) {
    return each_field(inner.get_object(), [this](std::string_view name, value detail) {
      if (name == "reasoning_tokens") count(detail, reasoning_);
      return true;
    });
  }
  if (key == "cost_details" && is(inner, json_type::object)) {
    return each_field(inner.get_object(), [this](std::string_view name, value detail) {
      if (name == "upstream_inference_cost") dollars(detail, own_key_cost_);
      return true;
    });
  }
  return true;
}

/// Most providers count reasoning inside `completion_tokens`; xAI's chat completions and some
/// compatible endpoints count it beside, and only the total shows it. What is in the total and
/// not in the prompt was generated, and is billed as output
/// (docs.cloud.google.com/vertex-ai, "Grok reasoning"; docs.x.ai/developers/rate-limits; 2026-11).
std::int64_t UsageReader::output_tokens(std::int64_t prompt, std::int64_t reasoning) {
  std::int64_t output = completion_.value_or(0);
  if (reasoning > output) output += reasoning;
  if (total_ && completion_) output = std::max(output, *total_ - prompt);
  return output;
}

/// OpenRouter's `cost` is what it charges itself. With the owner's own key at the provider
/// (`is_byok`), that provider bills its part apart, and the owner pays both
/// (https://openrouter.ai/docs/use-cases/usage-accounting, 2026-11). xAI states ticks of 1e-10
/// dollars (https://docs.x.ai/developers/cost-tracking, 2026-11).
std::optional<NanoUsd> UsageReader::stated_cost() const {
  if (cost_) return is_byok_ ? *cost_ + own_key_cost_.value_or(NanoUsd(0)) : *cost_;
  // Grok served by others states 0 ticks for requests that they bill: that says nothing.
  constexpr std::int64_t ticks_per_nano = 10;
  if (ticks_.value_or(0) > 0) {
    return NanoUsd(*ticks_ / ticks_per_nano + (*ticks_ % ticks_per_nano != 0 ? 1 : 0));
  }
  return std::nullopt;
}

Usage UsageReader::result() {
  Usage usage;
  const std::int64_t completion = completion_.value_or(0);
  // Some embedding endpoints state the total alone.
  const std::int64_t prompt =
      prompt_.value_or(std::max<std::int64_t>(0, total_.value_or(0) - completion));
  usage.reasoning_tokens = reasoning_.value_or(0);
  usage.output_tokens = output_tokens(prompt, usage.reasoning_tokens);
  usage.cached_input_tokens = cached_.value_or(0);
  if (usage.cached_input_tokens > prompt || usage.output_tokens > exchange::count_max) {
    impossible_ = true;
    return {};
  }
  // OpenAI calls its count of written tokens "unadjusted": it may overlap the cached ones.
  usage.cache_write_tokens = std::min(cache_write_.value_or(0), prompt - usage.cached_input_tokens);
  usage.input_tokens = prompt - usage.cached_input_tokens - usage.cache_write_tokens;
  usage.audio_input_tokens = std::min(audio_.value_or(0), usage.input_tokens);
  usage.stated_cost = stated_cost();
  return usage;
}

/// One answer or one event.
class AnswerReader {
 public:
  explicit AnswerReader(AnswerReading& reading) : reading_(reading) {}

  void read(simdjson::ondemand::document& document, std::string_view text) {
    text_ = text;
    const bool whole = each_field(document.get_object(), [this](std::string_view key, value inner) {
      return field(key, inner);
    });
    AnswerFacts& facts = reading_.facts;
    if (!whole || !exchange::nothing_follows(document)) facts.usage = {};
    // vLLM's older form, and FastAPI's, have no object `error`.
    if (says_object_error_ || (!has_answer_ && !detail_.empty())) facts.is_error = true;
    if (facts.is_error && facts.error_message.empty()) {
      facts.error_message = message_.empty() ? detail_ : message_;
    }
    if (facts.is_error && facts.error_code.empty()) facts.error_code = code_;
    facts.is_usage_only =
        reading_.usage_state != UsageState::absent && !has_choice_ && !facts.is_error;
  }

 private:
  bool field(std::string_view key, value& inner);
  bool choices(value& list);
  bool choice(value& inner);
  void usage(value& inner);
  bool groq(value& inner);
  bool error(value& inner);
  static std::string text_of(value& inner, std::size_t bytes_max);

  exchange::Span place_of(const char* begin, value& object) const;

  AnswerReading& reading_;
  std::string_view text_;
  bool has_answer_ = false;
  bool has_choice_ = false;
  bool says_object_error_ = false;
  std::string message_;
  std::string detail_;
  std::string code_;
};

/// A string unescaped, a number as it stands, nothing for anything else.
std::string AnswerReader::text_of(value& inner, std::size_t bytes_max) {
  std::string_view text;
  if (is(inner, json_type::string)) {
    if (inner.get_string().get(text) != SUCCESS) return {};
  } else if (is(inner, json_type::number)) {
    text = trimmed(inner.raw_json_token());
  }
  return std::string(exchange::clipped(text, bytes_max));
}

bool AnswerReader::field(std::string_view key, value& inner) {
  if (key == "choices") return choices(inner);
  if (key == "data" || key == "id") has_answer_ = true;
  if (key == "usage") {
    const char* const begin = inner.raw_json_token().data();
    usage(inner);
    reading_.facts.usage = place_of(begin, inner);
  }
  if (key == "x_groq" && is(inner, json_type::object)) return groq(inner);
  if (key == "error") return error(inner);
  if (key == "object") says_object_error_ = trimmed(inner.raw_json_token()) == "\"error\"";
  if (key == "message") message_ = text_of(inner, error_message_bytes_max);
  if (key == "detail") detail_ = text_of(inner, error_message_bytes_max);
  if (key == "code") code_ = text_of(inner, error_code_bytes_max);
  return true;
}

/// Of a value that has been read to its end: what comes next in the text is behind it, and an
/// object ends with the brace before that.
exchange::Span AnswerReader::place_of(const char* begin, value& object) const {
  const char* next = nullptr;
  if (*begin != '{' || object.current_location().get(next) != SUCCESS) return {};
  const auto from = static_cast<std::size_t>(begin - text_.data());
  const std::size_t close =
      text_.substr(0, static_cast<std::size_t>(next - text_.data())).rfind('}');
  if (close == std::string_view::npos || close < from) return {};
  return {.begin = from, .end = close + 1};
}

void AnswerReader::usage(value& inner) {
  if (!is(inner, json_type::object)) return;
  UsageReader reader;
  reader.read(inner);
  if (reader.state() == UsageState::absent) return;
  reading_.usage = reader.result();
  reading_.usage_state = reader.state();
}

/// Groq puts a stream's usage here, in the event that ends it, whether asked or not
/// (npm groq-sdk 1.6.0, ChatCompletionChunk.XGroq, 2026-11).
bool AnswerReader::groq(value& inner) {
  return each_field(inner.get_object(), [this](std::string_view key, value part) {
    if (key == "usage" && reading_.usage_state == UsageState::absent) usage(part);
    if (key == "error" && is(part, json_type::string)) {
      reading_.facts.is_error = true;
      reading_.facts.error_message = text_of(part, error_message_bytes_max);
    }
    return true;
  });
}

bool AnswerReader::error(value& inner) {
  AnswerFacts& facts = reading_.facts;
  // As the SDKs have it: an error is what is truthy.
  const std::string_view token = trimmed(inner.raw_json_token());
  if (token == "null" || token == "false" || token == "\"\"") return true;
  facts.is_error = true;
  if (!is(inner, json_type::object)) {
    facts.error_message = text_of(inner, error_message_bytes_max);
    return true;
  }
  std::string type;
  const bool whole = each_field(inner.get_object(), [&](std::string_view key, value part) {
    if (key == "message") facts.error_message = text_of(part, error_message_bytes_max);
    if (key == "code") facts.error_code = text_of(part, error_code_bytes_max);
    if (key == "type") type = text_of(part, error_code_bytes_max);
    return true;
  });
  if (facts.error_code.empty()) facts.error_code = std::move(type);
  return whole;
}

bool AnswerReader::choices(value& list) {
  has_answer_ = true;
  simdjson::ondemand::array array;
  if (list.get_array().get(array) != SUCCESS) return is(list, json_type::null);
  for (auto item : array) {
    value element;
    if (std::move(item).get(element) != SUCCESS) return false;
    has_choice_ = true;
    if (is(element, json_type::object) && !choice(element)) return false;
  }
  return true;
}

bool AnswerReader::choice(value& inner) {
  return each_field(inner.get_object(), [this](std::string_view key, value part) {
    if (key == "finish_reason" && is(part, json_type::string)) {
      reading_.facts.finish_reason = text_of(part, finish_reason_bytes_max);
    }
    // OpenRouter reports a failure of whoever served inside the choice
    // (https://openrouter.ai/docs/api-reference/errors, 2026-11).
    if (key == "error") return error(part);
    return true;
  });
}

/// Whether behind `key`, which stands at `at`, there is anything but `: null`.
bool says_something(std::string_view data, std::size_t at, std::string_view key) {
  std::string_view rest = data.substr(at);
  if (!rest.starts_with(key)) return false;
  rest.remove_prefix(key.size());
  constexpr std::string_view spaces = " \n\r\t";
  rest.remove_prefix(std::min(rest.find_first_not_of(spaces), rest.size()));
  if (!rest.starts_with(':')) return true;  // A value of this spelling, not a key.
  rest.remove_prefix(1);
  rest.remove_prefix(std::min(rest.find_first_not_of(spaces), rest.size()));
  return !rest.starts_with("null");
}

bool matters_at(std::string_view data, std::size_t at) {
  return says_something(data, at, "\"usage\"") || says_something(data, at, "\"error\"") ||
         says_something(data, at, "\"finish_reason\"") || says_something(data, at, "\"detail\"");
}

bool starts_key(char quote, char letter) {
  return quote == '"' && (letter == 'u' || letter == 'e' || letter == 'f' || letter == 'd');
}

}  // namespace

bool may_matter(std::string_view data) {
  std::size_t i = 0;
#if defined(__SSE2__)
  // Sixteen bytes at a time: where does a quote stand before one of the four letters?
  const __m128i quotes = _mm_set1_epi8('"');
  while (i + 17 <= data.size()) {
    const auto* const here = reinterpret_cast<const __m128i*>(data.data() + i);
    const auto* const next = reinterpret_cast<const __m128i*>(data.data() + i + 1);
    const __m128i letters = _mm_loadu_si128(next);
    const __m128i wanted = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(letters, _mm_set1_epi8('u')),
                                                     _mm_cmpeq_epi8(letters, _mm_set1_epi8('e'))),
                                        _mm_or_si128(_mm_cmpeq_epi8(letters, _mm_set1_epi8('f')),
                                                     _mm_cmpeq_epi8(letters, _mm_set1_epi8('d'))));
    const __m128i quoted = _mm_cmpeq_epi8(_mm_loadu_si128(here), quotes);
    auto mask = static_cast<unsigned>(_mm_movemask_epi8(_mm_and_si128(quoted, wanted)));
    for (; mask != 0; mask &= mask - 1) {
      if (matters_at(data, i + static_cast<std::size_t>(__builtin_ctz(mask)))) return true;
    }
    i += 16;
  }
#endif
  for (; i + 1 < data.size(); ++i) {
    if (starts_key(data[i], data[i + 1]) && matters_at(data, i)) return true;
  }
  return false;
}

AnswerReading read_answer(exchange::Operation /*operation*/, std::string_view body) {
  AnswerReading reading;
  exchange::with_json(body, exchange::JsonPadding::absent,
                      [&](simdjson::ondemand::document& document, std::string_view text) {
                        AnswerReader(reading).read(document, text);
                      });
  reading.facts.is_usage_only = false;  // That is a kind of event.
  return reading;
}

AnswerReading read_event(std::string_view data) {
  if (data.starts_with("[DONE]")) {
    AnswerReading ending;
    ending.facts.is_end = true;
    return ending;
  }
  if (!may_matter(data)) return {};
  AnswerReading reading;
  exchange::with_json(data, exchange::JsonPadding::absent,
                      [&](simdjson::ondemand::document& document, std::string_view text) {
                        AnswerReader(reading).read(document, text);
                      });
  return reading;
}

}  // namespace claviger::provider::openai
