#include "api/gemini/schema.h"

#include <algorithm>

#include "exchange/json_builder.h"

namespace claviger::api::gemini {
namespace {

using namespace exchange;

std::string lowered(std::string_view word) {
  std::string out(word);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  });
  return out;
}

bool is_count(std::string_view key) {
  constexpr std::string_view counts[] = {"minItems",  "maxItems",      "minLength",
                                         "maxLength", "minProperties", "maxProperties"};
  return std::ranges::find(counts, key) != std::end(counts);
}

bool is_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

void write_schema(JsonBuilder& json, JsonNode schema);

/// `properties`, `$defs`: names that are the user's, each with a schema.
void write_named(JsonBuilder& json, JsonNode named) {
  json.open_object();
  for (const JsonNode one : named) {
    json.string_key(one.key());
    write_schema(json, one);
  }
  json.close_object();
}

void write_type(JsonBuilder& json, JsonNode type, bool is_nullable) {
  const std::string word = lowered(type.text());
  if (word == "type_unspecified") return;
  json.key("type");
  if (is_nullable) {
    json.open_array().string(word).string("null").close_array();
  } else {
    json.string(word);
  }
}

void write_schema(JsonBuilder& json, JsonNode schema) {
  if (!schema.is_object()) {
    json.raw(schema.raw());
    return;
  }
  const bool is_nullable = schema["nullable"].is_true();
  json.open_object();
  for (const JsonNode field : schema) {
    const std::string_view key = field.key();
    if (key == "nullable" || key == "propertyOrdering" || key == "property_ordering" ||
        key == "example") {
      continue;
    }
    if (key == "type" && field.is_string()) {
      write_type(json, field, is_nullable);
      continue;
    }
    json.string_key(key == "any_of" ? "anyOf" : key);
    if ((key == "properties" || key == "$defs" || key == "defs") && field.is_object()) {
      write_named(json, field);
    } else if (key == "items" || key == "additionalProperties") {
      write_schema(json, field);
    } else if ((key == "anyOf" || key == "any_of") && field.is_array()) {
      json.open_array();
      for (const JsonNode one : field) write_schema(json, one);
      json.close_array();
    } else if (is_count(key) && is_digits(field.text())) {
      json.raw(field.text());  // Google's 64-bit numbers may be texts.
    } else {
      json.raw(field.raw());
    }
  }
  json.close_object();
}

}  // namespace

std::string json_schema_of(JsonNode schema) {
  std::string out;
  JsonBuilder json(out);
  write_schema(json, schema);
  return out;
}

}  // namespace claviger::api::gemini
