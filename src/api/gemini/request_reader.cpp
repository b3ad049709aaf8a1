#include "api/gemini/request_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "api/body_reader.h"
#include "exchange/json_writer.h"

namespace claviger::api::gemini {
namespace {

using exchange::BadRequest;
using exchange::Operation;
using exchange::Request;
using simdjson::ondemand::value;
using Kind = StrictJson::Kind;

/// What a field can do to the cost of a request.
enum class FieldClass : std::uint8_t {
  free,       ///< Nothing, or bounded by the output bound.
  content,    ///< Input, bounded by its bytes.
  reference,  ///< Input that we do not see: bounded by the model's context limit.
  unbounded,  ///< It adds to the bill by what it sets going.
  contents,
  one_content,
  requests,
  wrapped,  ///< countTokens: a whole generateContent request inside.
  tools,
  generation_config,
  service_tier,
  model,  ///< The path decides; where it is said again, both must agree.
};

struct Row {
  std::string_view name;
  FieldClass field_class;
};

/// Source: https://ai.google.dev/api/generate-content, …/embeddings and …/tokens; npm
/// @google/genai 2.14.0, dist/genai.d.ts (2026-11). Sorted by name.
constexpr Row fields[] = {
    {"cachedContent", FieldClass::reference},
    {"cached_content", FieldClass::reference},
    {"content", FieldClass::one_content},
    {"contents", FieldClass::contents},
    {"generateContentRequest", FieldClass::wrapped},
    {"generate_content_request", FieldClass::wrapped},
    {"generationConfig", FieldClass::generation_config},
    {"generation_config", FieldClass::generation_config},
    {"labels", FieldClass::free},
    {"model", FieldClass::model},
    {"outputDimensionality", FieldClass::free},
    {"output_dimensionality", FieldClass::free},
    {"requests", FieldClass::requests},
    {"safetySettings", FieldClass::free},
    {"safety_settings", FieldClass::free},
    {"serviceTier", FieldClass::service_tier},
    {"service_tier", FieldClass::service_tier},
    {"systemInstruction", FieldClass::one_content},
    {"system_instruction", FieldClass::one_content},
    {"taskType", FieldClass::free},
    {"task_type", FieldClass::free},
    {"title", FieldClass::content},
    {"toolConfig", FieldClass::free},
    {"tool_config", FieldClass::free},
    {"tools", FieldClass::tools},
};
static_assert(std::is_sorted(std::begin(fields), std::end(fields),
                             [](const Row& a, const Row& b) { return a.name < b.name; }));

/// Of generationConfig, what does not change the bill beyond the output bound.
constexpr std::string_view free_settings[] = {
    "temperature",
    "topP",
    "top_p",
    "topK",
    "top_k",
    "seed",
    "presencePenalty",
    "presence_penalty",
    "frequencyPenalty",
    "frequency_penalty",
    "stopSequences",
    "stop_sequences",
    "responseMimeType",
    "response_mime_type",
    "responseSchema",
    "response_schema",
    "responseJsonSchema",
    "response_json_schema",
    "responseLogprobs",
    "response_logprobs",
    "logprobs",
    "thinkingConfig",
    "thinking_config",
    "mediaResolution",
    "media_resolution",
    "enableEnhancedCivicAnswers",
    "audioTimestamp",
    "audio_timestamp",
};

template <typename Names>
bool is_among(std::string_view name, const Names& names) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

class RequestReader : private BodyReader {
 public:
  RequestReader(StrictJson& json, Request& request) : BodyReader(json, request) {}

  bool read(simdjson::ondemand::document& document);

 private:
  bool field(std::string_view key, value value);
  bool contents(value& value);
  bool content(value& value);
  bool part(value& value);
  bool blob(value& value);
  bool requests(value& value);
  bool tools(value& value);
  bool generation_config(value& value, std::string_view key);
  bool setting(std::string_view key, value& value);
  bool output_max(value& value);
  bool choices(value& value);
  bool modalities(value& value);
  bool service_tier(value& value, std::string_view key);

  bool is_wrapped_ = false;
  bool has_input_ = false;
};

bool RequestReader::read(simdjson::ondemand::document& document) {
  const auto each = [this](std::string_view key, value value) { return field(key, value); };
  if (!whole_object(document, "{\"contents\": …}", each)) return false;
  if (has_input_) return true;
  const std::string_view name =
      request_.operation == Operation::embeddings ? "content" : "contents";
  return json_.fail(BadRequest::Code::missing_field, name,
                    fmt::format("`{}` is missing; send what the model is to read", name));
}

bool RequestReader::field(std::string_view key, value value) {
  const auto* const row = std::find_if(std::begin(fields), std::end(fields),
                                       [&](const Row& r) { return r.name == key; });
  if (row == std::end(fields)) {
    name_unknown(key);
    return json_.skip(value, key);
  }
  bool ok = true;
  if (is_null(value, key, ok) || !ok) return ok;
  switch (row->field_class) {
    case FieldClass::free:
    case FieldClass::content:
      return json_.skip(value, key);
    case FieldClass::reference:
      add_unseen();
      return json_.skip(value, key);
    case FieldClass::unbounded:
      name_unbounded(key);
      return json_.skip(value, key);
    case FieldClass::contents:
      has_input_ = true;
      return contents(value);
    case FieldClass::one_content:
      has_input_ = has_input_ || key == "content";
      return content(value);
    case FieldClass::requests:
      has_input_ = true;
      return requests(value);
    case FieldClass::wrapped:
      // Its own fields count as if they stood here; it is only ever counted.
      if (std::exchange(is_wrapped_, true)) return json_.malformed(key);
      if (!expect(value, key, Kind::object, "an object")) return false;
      return json_.each_field(value, key,
                              [this](std::string_view inner, auto v) { return field(inner, v); });
    case FieldClass::tools:
      return tools(value);
    case FieldClass::generation_config:
      return generation_config(value, key);
    case FieldClass::service_tier:
      return service_tier(value, key);
    case FieldClass::model: {
      std::string_view ignored;
      request_.places.model_value = json_.span_of_scalar(value);
      return json_.string(value, key, ignored);
    }
  }
  return json_.malformed(key);
}

bool RequestReader::contents(value& value) {
  Kind kind{};
  if (!json_.kind_of(value, kind, "contents")) return false;
  if (kind == Kind::object) return content(value);  // Google takes one without its brackets.
  if (kind != Kind::array) return json_.wrong_type("contents", "an array of contents");
  return json_.each_element(value, "contents", [this](auto& element) { return content(element); });
}

bool RequestReader::content(value& value) {
  if (!expect(value, "contents", Kind::object, "objects with `role` and `parts`")) return false;
  ++request_.parts.messages;
  return json_.each_field(value, "contents", [this](std::string_view key, auto inner) {
    if (key == "parts") {
      Kind kind{};
      if (!json_.kind_of(inner, kind, "contents.parts")) return false;
      if (kind == Kind::object) return part(inner);
      if (kind != Kind::array) return json_.wrong_type("contents.parts", "an array of parts");
      return json_.each_element(inner, "contents.parts",
                                [this](auto& element) { return part(element); });
    }
    if (key != "role") add_unseen();
    return json_.skip(inner, "contents");
  });
}

bool RequestReader::part(value& value) {
  constexpr std::string_view textual[] = {"text",
                                          "thought",
                                          "thoughtSignature",
                                          "thought_signature",
                                          "functionCall",
                                          "function_call",
                                          "executableCode",
                                          "executable_code",
                                          "codeExecutionResult",
                                          "code_execution_result",
                                          "partMetadata",
                                          "part_metadata"};
  if (!expect(value, "contents.parts", Kind::object, "objects such as {\"text\": …}")) return false;
  return json_.each_field(value, "contents.parts", [&](std::string_view key, auto inner) {
    Kind kind{};
    if (!json_.kind_of(inner, kind, "contents.parts")) return false;
    if ((key == "inlineData" || key == "inline_data") && kind == Kind::object) return blob(inner);
    if (key == "functionResponse" || key == "function_response") {
      if (kind != Kind::object) return json_.skip(inner, "contents.parts");
      return json_.each_field(inner, "functionResponse", [this](std::string_view name, auto v) {
        if (name == "parts") add_unseen();  // Pictures that a tool gave.
        return json_.skip(v, "functionResponse");
      });
    }
    if (!is_among(key, textual)) add_unseen();
    return json_.skip(inner, "contents.parts");
  });
}

/// `inlineData`: bytes with their media type.
bool RequestReader::blob(value& value) {
  std::string_view media_type;
  std::string_view data;
  const bool read = json_.each_field(value, "inlineData", [&](std::string_view key, auto inner) {
    Kind kind{};
    if (!json_.kind_of(inner, kind, "inlineData")) return false;
    if (kind != Kind::string) return json_.skip(inner, "inlineData");
    std::string_view text;
    if (!json_.string(inner, "inlineData", text)) return false;
    if (key == "mimeType" || key == "mime_type") media_type = text;
    if (key == "data") data = text;
    return true;
  });
  if (!read) return false;
  constexpr std::string_view sound = "audio/";
  if (media_type.starts_with("image/")) {
    add_image_in_base64(data);
  } else if (media_type == "application/pdf") {
    add_document(data.size());
  } else if (media_type.starts_with(sound)) {
    add_sound_in_base64(data, media_type.substr(sound.size()));
  } else {
    add_unseen();
  }
  return true;
}

/// batchEmbedContents: each with a content of its own.
bool RequestReader::requests(value& value) {
  if (!expect(value, "requests", Kind::array, "an array of requests")) return false;
  return json_.each_element(value, "requests", [this](auto& element) {
    if (!expect(element, "requests", Kind::object, "objects with a `content`")) return false;
    return json_.each_field(element, "requests", [this](std::string_view key, auto inner) {
      return key == "content" ? content(inner) : json_.skip(inner, "requests");
    });
  });
}

/// Functions that the caller runs cost their description. What Google runs (search, code, maps,
/// files, URLs) costs per use, or brings text into the prompt that nobody has seen.
bool RequestReader::tools(value& value) {
  if (!expect(value, "tools", Kind::array, "an array of tools")) return false;
  return json_.each_element(value, "tools", [this](auto& element) {
    if (!expect(element, "tools", Kind::object, "an array of objects")) return false;
    return json_.each_field(element, "tools", [this](std::string_view key, auto inner) {
      Kind kind{};
      if (!json_.kind_of(inner, kind, "tools")) return false;
      const bool is_ours = key == "functionDeclarations" || key == "function_declarations";
      const bool is_search = key == "googleSearch" || key == "google_search";
      if (is_search && kind != Kind::null) {
        // What is found goes into the prompt.
        add_unseen();
        request_.extras.priced_fields.push_back(
            {.field = fmt::format("tools.{}", key), .needs = exchange::GroundingSearches{}});
      } else if (!is_ours && kind != Kind::null) {
        name_unbounded(fmt::format("tools.{}", exchange::clipped(key, named_field_bytes_max)));
      }
      if (!is_ours || kind != Kind::array) return json_.skip(inner, "tools");
      return json_.each_element(inner, "tools", [this](auto& declaration) {
        ++request_.parts.tools;
        return json_.skip(declaration, "tools");
      });
    });
  });
}

bool RequestReader::generation_config(value& value, std::string_view key) {
  auto& places = request_.places;
  if (!expect(value, key, Kind::object, "an object")) return false;
  if (!places.generation_config_open.empty()) {
    return json_.fail(BadRequest::Code::repeated_key, key,
                      "generationConfig stands twice, under both of its names; send it once");
  }
  const std::size_t open = json_.span_of_scalar(value).begin;
  places.generation_config_open = {.begin = open, .end = open + 1};
  places.generation_config_is_empty = true;
  return json_.each_field(value, key, [&](std::string_view name, auto inner) {
    places.generation_config_is_empty = false;
    return setting(name, inner);
  });
}

bool RequestReader::setting(std::string_view key, value& value) {
  const std::string shown = fmt::format("generationConfig.{}", exchange::clipped(key, 48));
  bool ok = true;
  if (key == "maxOutputTokens" || key == "max_output_tokens") return output_max(value);
  if (key == "candidateCount" || key == "candidate_count") return choices(value);
  if (key == "responseModalities" || key == "response_modalities") return modalities(value);
  if (is_among(key, free_settings)) return json_.skip(value, shown);
  if (is_null(value, shown, ok) || !ok) return ok;
  // Speech, pictures and what comes next have prices of their own.
  name_unbounded(shown);
  return json_.skip(value, shown);
}

bool RequestReader::output_max(value& value) {
  constexpr std::string_view name = "generationConfig.maxOutputTokens";
  if (!request_.places.output_max_value.empty()) {
    return json_.fail(BadRequest::Code::repeated_key, name,
                      "maxOutputTokens stands twice, under both of its names; send it once");
  }
  request_.places.output_max_value = json_.span_of_scalar(value);
  bool ok = true;
  if (is_null(value, name, ok) || !ok) return ok;
  std::int64_t tokens = 0;
  if (!json_.integer(value, name, tokens)) return false;
  if (tokens < 1 || tokens > output_tokens_limit) {
    return json_.fail(
        BadRequest::Code::out_of_range, name,
        fmt::format("`maxOutputTokens` must be between 1 and {}", output_tokens_limit));
  }
  request_.output_tokens_max = tokens;
  return true;
}

bool RequestReader::choices(value& value) {
  constexpr std::string_view name = "generationConfig.candidateCount";
  bool ok = true;
  if (is_null(value, name, ok) || !ok) return ok;
  std::int64_t count = 0;
  if (!json_.integer(value, name, count)) return false;
  if (count < 1 || count > choices_max) {
    return json_.fail(BadRequest::Code::out_of_range, name,
                      fmt::format("`candidateCount` must be between 1 and {}", choices_max));
  }
  request_.choices = count;
  return true;
}

bool RequestReader::modalities(value& value) {
  constexpr std::string_view name = "generationConfig.responseModalities";
  bool ok = true;
  if (is_null(value, name, ok) || !ok) return ok;
  if (!expect(value, name, Kind::array, "an array such as [\"TEXT\"]")) return false;
  request_.extras.has_text_answer_only = true;
  return json_.each_element(value, name, [&](auto& element) {
    std::string_view word;
    if (!json_.string(element, name, word)) return false;
    if (word == "TEXT" || word == "text" || word == "Text") return true;
    request_.extras.has_text_answer_only = false;
    name_unbounded(name);
    return true;
  });
}

/// https://ai.google.dev/gemini-api/docs/priority-inference and …/flex-inference; npm
/// @google/genai 2.14.0, ServiceTier (2026-11).
bool RequestReader::service_tier(value& value, std::string_view key) {
  using enum exchange::ServiceTier;
  std::string_view word;
  if (!json_.string(value, key, word)) return false;
  if (word == "standard" || word == "unspecified") return true;
  service_tier_named(word, key);
  return true;
}

}  // namespace

std::expected<Request, BadRequest> read_request(Operation operation, std::string_view body) {
  Request request;
  request.operation = operation;
  request.dialect = exchange::DialectId::gemini;
  request.wants_usage_event = true;  // This dialect's streams always say what they used.
  return read_body<RequestReader>(std::move(request), body);
}

}  // namespace claviger::api::gemini
