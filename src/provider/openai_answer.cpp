#include "provider/openai_answer.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "exchange/json_edit.h"
#include "exchange/json_scratch.h"
#include "exchange/json_tree.h"
#include "exchange/json_writer.h"
#include "provider/openai_adapter.h"
#include "provider/usage_reader.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace claviger::provider::openai {
namespace {

using exchange::AnswerFacts;
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
    facts.is_broken = !whole || !exchange::nothing_follows(document);
    if (facts.is_broken) facts.usage = {};
    facts.is_empty = has_answer_ && !says_something_;
    // vLLM's older form, and FastAPI's, have no object `error`.
    if (says_object_error_ || (!has_answer_ && !detail_.empty())) facts.is_error = true;
    if (facts.is_error && facts.error_message.empty()) {
      facts.error_message = message_.empty() ? detail_ : message_;
    }
    if (facts.is_error && facts.error_code.empty()) facts.error_code = code_;
  }

  /// Once the document has been read, and the thread's parser is free again: what its usage
  /// objects say. `text` is what was read.
  void finish(std::string_view text) {
    if (usages_count_ > 0) read_usages(text);
    AnswerFacts& facts = reading_.facts;
    facts.is_usage_only =
        reading_.usage_state != UsageState::absent && !has_choice_ && !facts.is_error;
  }

 private:
  /// At the top, and Groq's beside it.
  static constexpr std::size_t usages_max = 2;

  bool field(std::string_view key, value& inner);
  bool choices(value& list);
  bool choice(value& inner);
  bool message(value& inner);
  void usage(value& inner);
  void read_usages(std::string_view text);
  bool groq(value& inner);
  bool error(value& inner);
  static std::string text_of(value& inner, std::size_t bytes_max);

  exchange::Span place_of(const char* begin, value& object) const;
  exchange::Span span_of(std::string_view part) const;
  exchange::Span inside_string(value& inner) const;
  bool is_something(value& inner) const;

  AnswerReading& reading_;
  std::string_view text_;
  bool has_answer_ = false;
  bool has_choice_ = false;
  bool is_first_choice_ = false;
  bool says_something_ = false;
  bool says_object_error_ = false;
  std::string message_;
  std::string detail_;
  std::string code_;
  std::string tier_;
  std::array<exchange::Span, usages_max> usages_;
  std::size_t usages_count_ = 0;
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
  if (key == "service_tier") tier_ = text_of(inner, error_code_bytes_max);
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

/// Only where it stands: the thread's parser is busy with the document around it.
void AnswerReader::usage(value& inner) {
  std::string_view json;
  simdjson::ondemand::object object;
  if (!is(inner, json_type::object) || inner.get_object().get(object) != SUCCESS ||
      object.raw_json().get(json) != SUCCESS) {
    return;
  }
  if (usages_count_ == usages_max) return;
  usages_[usages_count_++] = span_of(json);
}

void AnswerReader::read_usages(std::string_view text) {
  UsageReader reader({});
  thread_local exchange::JsonTree tree;
  for (std::size_t i = 0; i < usages_count_; ++i) {
    const std::string_view usage = exchange::at(text, usages_[i]);
    if (reader.read_plain_usage(usage)) continue;
    if (!tree.read(usage)) {
      reading_.usage_state = UsageState::impossible;
      reading_.facts.usage = {};  // What is no JSON is not edited either.
      return;
    }
    reader.read_usage(tree.root());
  }
  reader.say_tier(tier_);
  reading_.usage_state = reader.state();
  if (reading_.usage_state == UsageState::absent) return;
  reading_.usage = reader.usage();
}

/// Groq puts a stream's usage here, in the event that ends it, whether asked or not
/// (npm groq-sdk 1.6.0, ChatCompletionChunk.XGroq, 2026-11).
bool AnswerReader::groq(value& inner) {
  return each_field(inner.get_object(), [this](std::string_view key, value part) {
    if (key == "usage") usage(part);
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
    is_first_choice_ = !has_choice_;
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
    if (key == "message" && is(part, json_type::object)) return message(part);
    if (key == "text") says_something_ = says_something_ || !inside_string(part).empty();
    return true;
  });
}

/// Only where it stands.
bool AnswerReader::message(value& inner) {
  AnswerFacts::Said ignored;
  AnswerFacts::Said& said = is_first_choice_ ? reading_.facts.said : ignored;
  return each_field(inner.get_object(), [&](std::string_view key, value part) {
    says_something_ = says_something_ || (key != "role" && is_something(part));
    if (key == "content") said.text = inside_string(part);
    if (key == "refusal") said.refusal = inside_string(part);
    if (key == "tool_calls" && is(part, json_type::array)) {
      simdjson::ondemand::array calls;
      std::string_view json;
      if (part.get_array().get(calls) != SUCCESS || calls.raw_json().get(json) != SUCCESS) {
        return false;
      }
      said.tool_calls = span_of(json);
    }
    return true;
  });
}

/// No null, and no empty string, list or object: some servers write all fields that there are.
bool AnswerReader::is_something(value& inner) const {
  if (is(inner, json_type::null)) return false;
  const std::string_view token = trimmed(inner.raw_json_token());
  if (token == "\"\"") return false;
  if (token != "[" && token != "{") return true;
  const std::string_view rest = text_.substr(span_of(token).end);
  const std::size_t next = rest.find_first_not_of(" \n\r\t");
  return next != std::string_view::npos && rest[next] != ']' && rest[next] != '}';
}

exchange::Span AnswerReader::span_of(std::string_view part) const {
  const auto begin = static_cast<std::size_t>(part.data() - text_.data());
  return {.begin = begin, .end = begin + part.size()};
}

exchange::Span AnswerReader::inside_string(value& inner) const {
  const std::string_view token = trimmed(inner.raw_json_token());
  if (token.size() < 2 || token.front() != '"' || token.back() != '"') return {};
  return span_of(token.substr(1, token.size() - 2));
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

/// `at` is where starts_key() holds.
bool matters_at(std::string_view data, std::size_t at) {
  switch (data[at + 1]) {
    case 'u':
      return says_something(data, at, "\"usage\"");
    case 'e':
      return says_something(data, at, "\"error\"");
    case 'f':
      return says_something(data, at, "\"finish_reason\"");
    default:
      return says_something(data, at, "\"detail\"");
  }
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

AnswerReading read_answer(exchange::Operation operation, std::string_view body) {
  AnswerReading reading;
  AnswerReader reader(reading);
  const auto error =
      exchange::with_json(body, exchange::JsonPadding::absent,
                          [&](simdjson::ondemand::document& document, std::string_view text) {
                            reader.read(document, text);
                          });
  reading.facts.is_broken = reading.facts.is_broken || error != SUCCESS;
  reader.finish(body);
  reading.facts.is_usage_only = false;  // That is a kind of event.
  reading.facts.is_empty = reading.facts.is_empty && operation == exchange::Operation::chat;
  return reading;
}

bool is_beginning(std::string_view data) {
  exchange::JsonTree tree;
  if (!tree.read(data)) return false;
  const exchange::JsonNode root = tree.root();
  if (root["usage"].is_object() || root["error"].says_something()) return false;
  for (const exchange::JsonNode& choice : root["choices"]) {
    if (choice["finish_reason"].says_something() || !choice["text"].text().empty()) return false;
    for (const exchange::JsonNode& part : choice["delta"]) {
      const bool is_list = part.is_array() || part.is_object();
      const bool is_empty = part.is_string() ? part.text().empty()
                            : is_list        ? part.size() == 0
                                             : !part.says_something();
      if (part.key() != "role" && !is_empty) return false;
    }
  }
  return root["choices"].is_array();
}

AnswerReading read_event(std::string_view data) {
  if (data.starts_with("[DONE]")) {
    AnswerReading ending;
    ending.facts.is_end = true;
    return ending;
  }
  if (!may_matter(data)) return {};
  AnswerReading reading;
  AnswerReader reader(reading);
  exchange::with_json(data, exchange::JsonPadding::absent,
                      [&](simdjson::ondemand::document& document, std::string_view text) {
                        reader.read(document, text);
                      });
  reader.finish(data);
  return reading;
}

}  // namespace claviger::provider::openai
