#include "relay/soft_watch.h"

#include <algorithm>

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

void expect_tools(std::string_view tools_json, fault::Expectation& expected) {
  const JsonGlance glance(tools_json);
  const auto tools = glance.root();
  for (std::size_t i = 0; i < JsonGlance::elements_max; ++i) {
    const std::string name = tools.at(i)["function"]["name"].text(256);
    if (!name.empty()) expected.tools.push_back(name);
  }
  // The look is bounded: a tool behind the bound is not unknown.
  expected.all_tools_known = glance.is_whole() && tools.size() < JsonGlance::elements_max &&
                             expected.tools.size() == tools.size();
}

void expect_form(std::string_view form_json, fault::Expectation& expected) {
  const JsonGlance glance(form_json);
  const auto form = glance.root();
  const std::string type = form["type"].text(32);
  expected.wants_json = type == "json_object" || type == "json_schema";
  if (type != "json_schema" || !glance.is_whole()) return;
  const auto schema = form["json_schema"]["schema"];
  // A schema of something else than an object: its form is not followed.
  if (schema["type"] && schema["type"].text(32) != "object") expected.wants_json = false;
  const auto required = schema["required"];
  for (std::size_t i = 0; i < fault::Expectation::fields_max; ++i) {
    const std::string field = required.at(i).text(128);
    if (field.empty()) break;
    expected.required_fields.push_back(field);
  }
}

/// No byte of another script: neither raw nor escaped.
bool is_all_latin(std::string_view body) {
  constexpr std::size_t kBlock = 64;  // Looked at together, so that the loop has no way out inside.
  for (std::size_t at = 0; at < body.size(); at += kBlock) {
    std::uint8_t others = 0;
    for (const char c : body.substr(at, kBlock)) {
      const auto byte = static_cast<std::uint8_t>(c);
      others |= static_cast<std::uint8_t>(byte >= 0xCE && byte != 0xE2 ? 1 : 0);
    }
    if (others != 0) return false;
  }
  return body.find("\\u") == std::string_view::npos;
}

/// The inside of the string behind `"key":`, escapes and all; empty where there is none.
std::string_view string_behind(std::string_view text, std::string_view quoted_key) {
  const std::size_t key = text.find(quoted_key);
  if (key == std::string_view::npos) return {};
  std::size_t at = key + quoted_key.size();
  while (at < text.size() && (text[at] == ':' || text[at] == ' ')) ++at;
  if (at >= text.size() || text[at] != '"') return {};
  const std::size_t begin = ++at;
  while (at < text.size() && text[at] != '"') at += text[at] == '\\' ? 2 : 1;
  return text.substr(begin, std::min(at, text.size()) - begin);
}

}  // namespace

fault::Expectation expectation_of(const exchange::Request& request, bool is_own_endpoint) {
  fault::Expectation expected;
  const std::string_view body = request.body;
  if (body.find("\"tools\"") != std::string_view::npos) {
    expect_tools(value_of(body, "tools"), expected);
  }
  if (body.find("\"response_format\"") != std::string_view::npos) {
    expect_form(value_of(body, "response_format"), expected);
  }
  expected.is_latin = is_all_latin(body);
  expected.is_own_endpoint = is_own_endpoint;
  // No tokenizer needs eight bytes for a token of such text: an estimate from below.
  constexpr std::size_t kBytesPerTokenMax = 8;
  if (request.input_content == exchange::InputContent::text) {
    expected.input_tokens = static_cast<std::int64_t>(body.size() / kBytesPerTokenMax);
  }
  return expected;
}

std::unique_ptr<SoftWatch> SoftWatch::of(const exchange::Request& request, bool is_own_endpoint) {
  if (request.operation != exchange::Operation::chat || request.choices != 1) return nullptr;
  return std::unique_ptr<SoftWatch>(new SoftWatch(expectation_of(request, is_own_endpoint)));
}

void SoftWatch::event(std::string_view data) {
  const std::size_t at = data.find("\"delta\"");
  if (at == std::string_view::npos) return;
  const std::string_view delta = data.substr(at);
  const std::string_view content = string_behind(delta, "\"content\"");
  escaped_text(content);
  if (!string_behind(delta, "\"refusal\"").empty()) watch_.refusal();
  if (delta.find("\"tool_calls\"") != std::string_view::npos) delta_with_tools(data);
}

void SoftWatch::delta_with_tools(std::string_view data) {
  const JsonGlance glance(data);
  const auto calls = glance.root()["choices"].at(0)["delta"]["tool_calls"];
  for (std::size_t i = 0; i < fault::AnswerWatch::calls_max; ++i) {
    const auto call = calls.at(i);
    if (call.kind() == JsonGlance::Kind::absent) return;
    const std::int64_t number = call["index"].integer(static_cast<std::int64_t>(i));
    if (number < 0) continue;
    const auto function = call["function"];
    watch_.tool_call(static_cast<std::size_t>(number), function["name"].text(256),
                     function["arguments"].text(fault::AnswerWatch::argument_bytes_max + 1));
  }
}

void SoftWatch::answer(std::string_view body, const exchange::AnswerFacts::Said& said) {
  escaped_text(exchange::at(body, said.text));
  if (!said.refusal.empty()) watch_.refusal();
  if (said.tool_calls.empty()) return;
  const JsonGlance glance(exchange::at(body, said.tool_calls));
  const auto calls = glance.root();
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const auto function = calls.at(i)["function"];
    watch_.tool_call(i, function["name"].text(256),
                     function["arguments"].text(fault::AnswerWatch::argument_bytes_max + 1));
  }
}

/// What stands between the quotes of a string.
void SoftWatch::escaped_text(std::string_view content) {
  if (content.empty()) return;
  if (content.find('\\') == std::string_view::npos) {
    watch_.text(content.substr(0, kTextBytesMax));
  } else {
    watch_.text(fault::unescaped(content, kTextBytesMax));
  }
}

std::string SoftWatch::found(std::string_view finish_reason, std::int64_t input_tokens_counted) {
  watch_.finish_reason(finish_reason);
  watch_.input_tokens_counted(input_tokens_counted);
  return watch_.result().text();
}

}  // namespace claviger::relay
