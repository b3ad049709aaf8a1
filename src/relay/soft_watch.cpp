#include "relay/soft_watch.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/find_quoted.h"
#include "exchange/json_edit.h"
#include "fault/json_glance.h"

namespace claviger::relay {
namespace {

using fault::JsonGlance;

/// More text of one whole answer is not looked at.
constexpr std::size_t kTextBytesMax = std::size_t{1} << 20;

std::string_view value_of(std::string_view body, std::string_view key) {
  const exchange::Span place = exchange::find_value(body, key);
  return place.empty() ? std::string_view() : exchange::at(body, place);
}

using exchange::DialectId;
using Value = JsonGlance::Value;

/// Takes the names that stand at `name_of` each of a list of tools.
template <typename NameOf>
void expect_listed(Value list, NameOf name_of, fault::Expectation& expected) {
  for (std::size_t i = 0; i < JsonGlance::elements_max; ++i) {
    const Value tool = list.at(i);
    if (tool.kind() == JsonGlance::Kind::absent) break;
    const std::string name = name_of(tool).text(256);
    // What has no name of its own (a provider's built-in tool) may be called by any.
    if (name.empty()) expected.all_tools_known = false;
    if (!name.empty()) expected.tools.push_back(name);
  }
  // The look is bounded: a tool behind the bound is not unknown.
  if (list.size() >= JsonGlance::elements_max) expected.all_tools_known = false;
}

void expect_tools(std::string_view tools_json, DialectId dialect, fault::Expectation& expected) {
  const JsonGlance glance(tools_json);
  const Value tools = glance.root();
  switch (dialect) {
    case DialectId::openai:
      expect_listed(tools, [](Value tool) { return tool["function"]["name"]; }, expected);
      break;
    case DialectId::anthropic:
    case DialectId::openai_responses:
      expect_listed(tools, [](Value tool) { return tool["name"]; }, expected);
      break;
    case DialectId::gemini:
      for (std::size_t i = 0; i < tools.size(); ++i) {
        const Value tool = tools.at(i);
        const Value camel = tool["functionDeclarations"];
        const Value functions = camel ? camel : tool["function_declarations"];
        expect_listed(functions, [](Value function) { return function["name"]; }, expected);
      }
      if (tools.size() >= JsonGlance::elements_max) expected.all_tools_known = false;
      break;
  }
  if (!glance.is_whole()) expected.all_tools_known = false;
}

/// A schema of something else than an object: its form is not followed.
void expect_schema(Value schema, fault::Expectation& expected) {
  const std::string type = schema["type"].text(32);  // Gemini writes "OBJECT".
  expected.wants_json = type.empty() || type == "object" || type == "OBJECT";
  const Value required = schema["required"];
  for (std::size_t i = 0; i < fault::Expectation::fields_max; ++i) {
    const std::string field = required.at(i).text(128);
    if (field.empty()) break;
    expected.required_fields.push_back(field);
  }
}

/// `response_format` of OpenAI's dialect.
void expect_openai_form(std::string_view form_json, fault::Expectation& expected) {
  const JsonGlance glance(form_json);
  const Value form = glance.root();
  const std::string type = form["type"].text(32);
  expected.wants_json = type == "json_object" || type == "json_schema";
  if (type == "json_schema" && glance.is_whole()) {
    expect_schema(form["json_schema"]["schema"], expected);
  }
}

/// `text.format` of OpenAI's Responses API (npm openai 7.57.0, ResponseTextConfig, 2026-11).
void expect_responses_form(std::string_view text_json, fault::Expectation& expected) {
  const JsonGlance glance(text_json);
  const Value form = glance.root()["format"];
  const std::string type = form["type"].text(32);
  expected.wants_json = type == "json_object" || type == "json_schema";
  if (type == "json_schema" && glance.is_whole()) expect_schema(form["schema"], expected);
}

/// `output_config.format`, or `output_format` as it was called first
/// (https://docs.claude.com/en/docs/build-with-claude/structured-outputs, 2026-11).
void expect_anthropic_form(std::string_view body, fault::Expectation& expected) {
  if (find_quoted(body, "\"json_schema\"") == std::string_view::npos) return;
  const auto take = [&](Value format, bool is_whole) {
    if (is_whole && format["type"].text(32) == "json_schema") {
      expect_schema(format["schema"], expected);
    }
  };
  const JsonGlance config(value_of(body, "output_config"));
  take(config.root()["format"], config.is_whole());
  const JsonGlance format(value_of(body, "output_format"));
  take(format.root(), format.is_whole());
}

/// `generationConfig.responseMimeType` and the schema beside it
/// (https://ai.google.dev/api/generate-content#generationconfig, 2026-11).
void expect_gemini_form(std::string_view body, fault::Expectation& expected) {
  std::string_view json = value_of(body, "generationConfig");
  if (json.empty()) json = value_of(body, "generation_config");
  const JsonGlance glance(json);
  const Value config = glance.root();
  const auto either = [&](std::string_view camel, std::string_view snake) {
    const Value first = config[camel];
    return first ? first : config[snake];
  };
  if (either("responseMimeType", "response_mime_type").text(64) != "application/json") return;
  expected.wants_json = false;  // Without a schema, a list is as good an answer as an object.
  if (!glance.is_whole()) return;
  if (const Value schema = either("responseJsonSchema", "response_json_schema")) {
    expect_schema(schema, expected);
  } else if (const Value own = either("responseSchema", "response_schema")) {
    expect_schema(own, expected);
  }
}

/// The value of `key` in a body of a dialect whose reader does not say where it stands.
std::string_view value_if_named(std::string_view body, std::string_view key) {
  return body.find(key) == std::string_view::npos ? std::string_view() : value_of(body, key);
}

/// The readers of OpenAI's requests passed both places anyway.
void expect_what_was_asked(const exchange::Request& request, fault::Expectation& expected) {
  const std::string_view body = request.body;
  switch (request.dialect) {
    case DialectId::openai:
    case DialectId::openai_responses: {
      const auto& places = request.places;
      if (!places.tools_value.empty()) {
        expect_tools(exchange::at(body, places.tools_value), request.dialect, expected);
      }
      if (places.answer_form_value.empty()) return;
      const std::string_view form = exchange::at(body, places.answer_form_value);
      const bool is_chat = request.dialect == DialectId::openai;
      is_chat ? expect_openai_form(form, expected) : expect_responses_form(form, expected);
      return;
    }
    case DialectId::anthropic:
    case DialectId::gemini:
      break;
  }
  if (const std::string_view tools = value_if_named(body, "tools"); !tools.empty()) {
    expect_tools(tools, request.dialect, expected);
  }
  if (request.dialect == DialectId::anthropic) return expect_anthropic_form(body, expected);
  if (body.find("application/json") != std::string_view::npos) expect_gemini_form(body, expected);
}

/// No byte of another script: neither raw nor escaped.
bool is_all_latin(std::string_view body) {
  const auto is_other = [](char c) {
    const auto byte = static_cast<std::uint8_t>(c);
    return byte >= 0xCE && byte != 0xE2;
  };
  return (base::is_ascii(body) || std::ranges::none_of(body, is_other)) &&
         body.find("\\u") == std::string_view::npos;
}

/// The inside of the string behind `"key":`, escapes and all; empty where there is none.
std::string_view string_behind(std::string_view text, std::string_view quoted_key) {
  const std::size_t key = find_quoted(text, quoted_key);
  if (key == std::string_view::npos) return {};
  std::size_t at = key + quoted_key.size();
  while (at < text.size() && (text[at] == ':' || text[at] == ' ')) ++at;
  if (at >= text.size() || text[at] != '"') return {};
  const std::size_t begin = ++at;
  while (at < text.size() && text[at] != '"') at += text[at] == '\\' ? 2 : 1;
  return text.substr(begin, std::min(at, text.size()) - begin);
}

/// Whether `"key":` stands in `text` with something behind it: no null, no empty list.
bool has_something(std::string_view text, std::string_view quoted_key) {
  const std::size_t key = find_quoted(text, quoted_key);
  if (key == std::string_view::npos) return false;
  const std::size_t value = text.find_first_not_of(" :", key + quoted_key.size());
  if (value == std::string_view::npos) return false;
  const std::string_view rest = text.substr(value);
  return !rest.starts_with("null") && !rest.starts_with("[]");
}

/// What an answer of OpenAI's dialect can be besides text and tool calls: sound, pictures, a call
/// as they were written before tools.
bool has_other_output(std::string_view message) {
  return has_something(message, "\"audio\"") || has_something(message, "\"images\"") ||
         has_something(message, "\"function_call\"");
}

}  // namespace

fault::Expectation expectation_of(const exchange::Request& request, bool is_own_endpoint) {
  fault::Expectation expected;
  const std::string_view body = request.body;
  expect_what_was_asked(request, expected);
  expected.is_latin = is_all_latin(body);
  expected.is_own_endpoint = is_own_endpoint;
  // No tokenizer needs eight bytes for a token of such text: an estimate from below.
  constexpr std::size_t kBytesPerTokenMax = 8;
  if (request.input_content == exchange::InputContent::text) {
    expected.input_tokens = static_cast<std::int64_t>(body.size() / kBytesPerTokenMax);
  }
  return expected;
}

std::unique_ptr<SoftWatch> SoftWatch::of(const exchange::Request& request, WatchedPlace place) {
  if (request.operation != exchange::Operation::chat || request.choices != 1) return nullptr;
  return std::unique_ptr<SoftWatch>(
      new SoftWatch(expectation_of(request, place.is_own_endpoint), place.dialect));
}

void SoftWatch::event(std::string_view data) {
  switch (dialect_) {
    case DialectId::openai:
      return openai_event(data);
    case DialectId::anthropic:
      return anthropic_event(data);
    case DialectId::gemini:
      return gemini_answer(data);
    case DialectId::openai_responses:
      return responses_event(data);
  }
}

void SoftWatch::answer(std::string_view body, const exchange::AnswerFacts::Said& said) {
  is_whole_ = true;
  switch (dialect_) {
    case DialectId::openai:
      return openai_answer(body, said);
    case DialectId::anthropic:
      return anthropic_answer(body);
    case DialectId::gemini:
      return gemini_answer(body);
    case DialectId::openai_responses:
      return responses_answer(body);
  }
}

void SoftWatch::call(Value name, std::string_view arguments) {
  watch_.tool_call(calls_++, name.text(256), arguments);
}

void SoftWatch::openai_event(std::string_view data) {
  const std::size_t at = find_quoted(data, "\"delta\"");
  if (at == std::string_view::npos) return;
  const std::string_view delta = data.substr(at);
  const std::string_view content = string_behind(delta, "\"content\"");
  escaped_text(content);
  if (!string_behind(delta, "\"refusal\"").empty()) watch_.refusal();
  if (has_something(delta, "\"tool_calls\"")) openai_delta_with_tools(data);
  if (content.empty() && has_other_output(delta)) watch_.other_output();
}

void SoftWatch::openai_delta_with_tools(std::string_view data) {
  const JsonGlance glance(data);
  const Value calls = glance.root()["choices"].at(0)["delta"]["tool_calls"];
  for (std::size_t i = 0; i < fault::AnswerWatch::calls_max; ++i) {
    const Value call = calls.at(i);
    if (call.kind() == JsonGlance::Kind::absent) return;
    const std::int64_t number = call["index"].integer(static_cast<std::int64_t>(i));
    if (number < 0) continue;
    const Value function = call["function"];
    watch_.tool_call(static_cast<std::size_t>(number), function["name"].text(256),
                     function["arguments"].text(fault::AnswerWatch::argument_bytes_max + 1));
  }
}

void SoftWatch::openai_answer(std::string_view body, const exchange::AnswerFacts::Said& said) {
  escaped_text(exchange::at(body, said.text));
  if (!said.refusal.empty()) watch_.refusal();
  if (said.text.empty() && has_other_output(body)) watch_.other_output();
  if (said.tool_calls.empty()) return;
  const JsonGlance glance(exchange::at(body, said.tool_calls));
  const Value calls = glance.root();
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const Value function = calls.at(i)["function"];
    watch_.tool_call(i, function["name"].text(256),
                     function["arguments"].text(fault::AnswerWatch::argument_bytes_max + 1));
  }
}

/// https://docs.claude.com/en/docs/build-with-claude/streaming (2026-11).
void SoftWatch::anthropic_event(std::string_view data) {
  if (find_quoted(data, "\"text_delta\"") != std::string_view::npos) {
    const std::size_t at = find_quoted(data, "\"delta\"");
    if (at != std::string_view::npos) escaped_text(string_behind(data.substr(at), "\"text\""));
    return;
  }
  const bool is_start = find_quoted(data, "\"content_block_start\"") != std::string_view::npos;
  if (!is_start && find_quoted(data, "\"input_json_delta\"") == std::string_view::npos) return;
  const JsonGlance glance(data);
  const Value event = glance.root();
  if (!is_start) return anthropic_arguments(event);
  const Value block = event["content_block"];
  anthropic_block(block);
  if (block["type"].raw() != "tool_use") return;
  if (blocks_of_calls_.size() < fault::AnswerWatch::calls_max) {
    blocks_of_calls_.push_back(event["index"].integer());
  }
}

void SoftWatch::anthropic_arguments(Value event) {
  const auto block = std::ranges::find(blocks_of_calls_, event["index"].integer());
  if (block == blocks_of_calls_.end()) return;  // Of a tool that runs at the provider.
  watch_.tool_call(static_cast<std::size_t>(block - blocks_of_calls_.begin()), {},
                   event["delta"]["partial_json"].text(fault::AnswerWatch::argument_bytes_max + 1));
}

void SoftWatch::anthropic_answer(std::string_view body) {
  const JsonGlance glance(body);
  const Value content = glance.root()["content"];
  for (std::size_t i = 0; i < content.size(); ++i) anthropic_block(content.at(i));
  // The look is bounded: what it did not reach is something.
  if (content.size() >= JsonGlance::elements_max) watch_.other_output();
}

void SoftWatch::anthropic_block(Value block) {
  const std::string_view type = block["type"].raw();
  if (type == "text") return escaped_text(block["text"].raw());
  if (type != "tool_use") return;
  // An object, or the caller could not have read the answer; in a stream it comes in pieces.
  const Value input = block["input"];
  const bool is_none = !input || input.is(JsonGlance::Kind::object);
  call(block["name"], is_none ? std::string_view() : input.raw());
}

/// Text as it comes; whole items when they are done. npm openai 7.57.0, ResponseStreamEvent
/// (2026-11).
void SoftWatch::responses_event(std::string_view data) {
  if (data.find("\"response.output_text.delta\"") != std::string_view::npos) {
    return escaped_text(string_behind(data, "\"delta\""));
  }
  if (data.find("\"response.refusal.delta\"") != std::string_view::npos) return watch_.refusal();
  if (data.find("\"response.output_item.done\"") == std::string_view::npos) return;
  const JsonGlance glance(data);
  const Value item = glance.root()["item"];
  if (item["type"].raw() != "message") responses_item(item);
}

void SoftWatch::responses_answer(std::string_view body) {
  const JsonGlance glance(body);
  const Value output = glance.root()["output"];
  for (std::size_t i = 0; i < output.size(); ++i) responses_item(output.at(i));
  if (output.size() >= JsonGlance::elements_max) watch_.other_output();
}

void SoftWatch::responses_item(Value item) {
  const std::string_view type = item["type"].raw();
  if (type == "reasoning") return;
  if (type == "message") {
    const Value content = item["content"];
    for (std::size_t i = 0; i < content.size(); ++i) {
      const Value part = content.at(i);
      if (part["type"].raw() == "refusal") watch_.refusal();
      escaped_text(part["text"].raw());
    }
  } else if (type == "function_call") {
    const std::string arguments =
        item["arguments"].text(fault::AnswerWatch::argument_bytes_max + 1);
    call(item["name"], arguments);
  } else if (!type.empty()) {
    watch_.other_output();  // What a tool of the provider's did, or a tool of another kind.
  }
}

/// https://ai.google.dev/api/generate-content#candidate (2026-11).
void SoftWatch::gemini_answer(std::string_view json) {
  const JsonGlance glance(json);
  const Value parts = glance.root()["candidates"].at(0)["content"]["parts"];
  for (std::size_t i = 0; i < parts.size(); ++i) gemini_part(parts.at(i));
  if (parts.size() >= JsonGlance::elements_max) watch_.other_output();
}

void SoftWatch::gemini_part(Value part) {
  if (part["thought"].raw() == "true") return;
  if (const Value text = part["text"]) return escaped_text(text.raw());
  const Value function = part["functionCall"];
  if (!function) {
    // Pictures, sound, code that ran there and what came out of it.
    if (part.size() > 0) watch_.other_output();
    return;
  }
  const Value arguments = function["args"];
  const bool is_sound = !arguments || arguments.is(JsonGlance::Kind::object);
  call(function["name"], is_sound ? std::string_view() : arguments.raw());
}

/// What stands between the quotes of a string.
void SoftWatch::escaped_text(std::string_view content) {
  if (content.empty()) return;
  const auto take = [this](std::string_view text) {
    is_whole_ ? watch_.whole_text(text) : watch_.text(text);
  };
  if (content.find('\\') == std::string_view::npos) {
    take(content.substr(0, kTextBytesMax));
  } else {
    take(fault::unescaped(content, kTextBytesMax));
  }
}

std::string SoftWatch::found(std::string_view finish_reason, std::int64_t input_tokens_counted) {
  watch_.finish_reason(finish_reason);
  watch_.input_tokens_counted(input_tokens_counted);
  return watch_.result().text();
}

}  // namespace claviger::relay
