#include "exchange/json_edit.h"

#include <utility>

#include "exchange/json_scratch.h"
#include "exchange/json_writer.h"

namespace claviger::exchange {
namespace {

using simdjson::SUCCESS;

/// The text of a value, to its last byte; empty on failure.
std::string_view text_of(simdjson::ondemand::value& value) {
  simdjson::ondemand::json_type type{};
  if (value.type().get(type) != SUCCESS) return {};
  std::string_view text;
  if (type == simdjson::ondemand::json_type::object) {
    simdjson::ondemand::object object;
    if (value.get_object().get(object) != SUCCESS) return {};
    if (object.raw_json().get(text) != SUCCESS) return {};
  } else if (type == simdjson::ondemand::json_type::array) {
    simdjson::ondemand::array array;
    if (value.get_array().get(array) != SUCCESS) return {};
    if (array.raw_json().get(text) != SUCCESS) return {};
  } else {
    text = value.raw_json_token();
  }
  const std::size_t last = text.find_last_not_of(" \n\r\t");
  return text.substr(0, last + 1);
}

Span find_in(simdjson::ondemand::document& document, std::string_view json, std::string_view key) {
  simdjson::ondemand::object object;
  if (document.get_object().get(object) != SUCCESS) return {};
  Span found;
  for (auto item : object) {
    simdjson::ondemand::field field;
    std::string_view name;
    if (std::move(item).get(field) != SUCCESS) return {};
    if (field.unescaped_key().get(name) != SUCCESS) return {};
    if (name != key) continue;
    const std::string_view text = text_of(field.value());
    if (text.empty()) return {};
    const auto begin = static_cast<std::size_t>(text.data() - json.data());
    found = {.begin = begin, .end = begin + text.size()};
  }
  return nothing_follows(document) ? found : Span{};
}

}  // namespace

Span find_value(std::string_view json, std::string_view key) {
  Span found;
  with_json(json, JsonPadding::absent,
            [&](simdjson::ondemand::document& document, std::string_view text) {
              found = find_in(document, text, key);
            });
  return found;
}

std::string spliced(std::string_view whole, Span place, std::string_view replacement) {
  std::string out;
  out.reserve(whole.size() + replacement.size());
  out += whole.substr(0, place.begin);
  out += replacement;
  out += whole.substr(place.end);
  return out;
}

std::string with_field(std::string_view json, std::string_view key, std::string_view value) {
  return with_field_at(json, {.begin = 0, .end = json.size()}, key, value);
}

std::string with_field_at(std::string_view whole, Span object, std::string_view key,
                          std::string_view value) {
  const std::string_view json = at(whole, object);
  // Most objects do not mention the key anywhere, and then need not be parsed. An escape may
  // hide it.
  if (json.find(key) != std::string_view::npos || json.find('\\') != std::string_view::npos) {
    const Span present = find_value(json, key);
    if (!present.empty()) {
      return spliced(
          whole, {.begin = object.begin + present.begin, .end = object.begin + present.end}, value);
    }
  }
  const std::size_t close = json.rfind('}');
  if (close == std::string_view::npos) return std::string(whole);
  const std::size_t before = json.find_last_not_of(" \n\r\t", close == 0 ? 0 : close - 1);
  std::string field;
  if (before != std::string_view::npos && json[before] != '{') field += ',';
  append_json_string(field, key);
  field += ':';
  field += value;
  return spliced(whole, {.begin = object.begin + close, .end = object.begin + close}, field);
}

}  // namespace claviger::exchange
