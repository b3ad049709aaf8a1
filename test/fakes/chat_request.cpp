#include "chat_request.h"

#include <simdjson.h>

namespace claviger::fakes {
namespace {

using simdjson::dom::element;
using Done = std::expected<void, std::string>;

constexpr std::int64_t kChoicesMax = 128;
constexpr std::int64_t kDimensionsMax = 4096;
constexpr std::int64_t kBytesPerToken = 4;
constexpr std::int64_t kTokensPerMessage = 3;

std::optional<std::int64_t> integer(const element& object, std::string_view name) {
  std::int64_t value = 0;
  if (object[name].get_int64().get(value) != simdjson::SUCCESS) return std::nullopt;
  return value;
}

bool is_true(const element& object, std::string_view name) {
  bool value = false;
  return object[name].get_bool().get(value) == simdjson::SUCCESS && value;
}

/// Directives in the model's name and in the `fake` object; `model` is left without them.
Done read_model(const element& root, std::string& model, Behaviour& behaviour) {
  std::string_view name;
  if (root["model"].get_string().get(name) != simdjson::SUCCESS) {
    return std::unexpected("you must provide a model parameter");
  }
  element directives;
  if (root["fake"].get(directives) == simdjson::SUCCESS) {
    if (const Done done = apply_json(simdjson::minify(directives), behaviour); !done) return done;
  }
  if (const Done done = apply_model_directives(name, behaviour); !done) return done;
  model = std::string(name);
  return {};
}

/// A text, or the texts of parts.
std::int64_t text_bytes_of(const element& content) {
  std::string_view text;
  if (content.get_string().get(text) == simdjson::SUCCESS) {
    return static_cast<std::int64_t>(text.size());
  }
  std::int64_t bytes = 0;
  if (!content.is_array()) return 0;
  for (const element part : content.get_array().value_unsafe()) {
    if (part["text"].get_string().get(text) == simdjson::SUCCESS) {
      bytes += static_cast<std::int64_t>(text.size());
    }
  }
  return bytes;
}

}  // namespace

std::expected<ChatRequest, std::string> read_chat(std::string_view body, Behaviour& behaviour) {
  // One for all: the fake has one thread, and a new parser would allocate a megabyte each time.
  static thread_local simdjson::dom::parser parser;
  element root;
  if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS || !root.is_object()) {
    return std::unexpected("we could not parse the JSON body of your request");
  }
  ChatRequest request;
  if (const Done done = read_model(root, request.model, behaviour); !done) {
    return std::unexpected(done.error());
  }
  request.streams = is_true(root, "stream");
  element options;
  if (root["stream_options"].get(options) == simdjson::SUCCESS && options.is_object()) {
    request.wants_usage = is_true(options, "include_usage");
  }
  request.completion_tokens_max = integer(root, "max_completion_tokens");
  if (!request.completion_tokens_max) request.completion_tokens_max = integer(root, "max_tokens");
  if (request.completion_tokens_max.value_or(1) < 1) {
    return std::unexpected("max_tokens must be at least 1");
  }
  request.choices = integer(root, "n").value_or(1);
  if (request.choices < 1 || request.choices > kChoicesMax) {
    return std::unexpected("n must be between 1 and 128");
  }
  simdjson::dom::array messages;
  if (root["messages"].get_array().get(messages) != simdjson::SUCCESS || messages.size() == 0) {
    return std::unexpected("missing required parameter: messages");
  }
  for (const element message : messages) {
    ++request.messages;
    element content;
    if (message["content"].get(content) == simdjson::SUCCESS) {
      request.text_bytes += text_bytes_of(content);
    }
  }
  return request;
}

std::expected<EmbeddingRequest, std::string> read_embedding(std::string_view body,
                                                            Behaviour& behaviour) {
  simdjson::dom::parser parser;
  element root;
  if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS || !root.is_object()) {
    return std::unexpected("we could not parse the JSON body of your request");
  }
  EmbeddingRequest request;
  if (const Done done = read_model(root, request.model, behaviour); !done) {
    return std::unexpected(done.error());
  }
  request.dimensions = integer(root, "dimensions").value_or(request.dimensions);
  if (request.dimensions < 1 || request.dimensions > kDimensionsMax) {
    return std::unexpected("dimensions must be between 1 and 4096");
  }
  std::string_view text;
  if (root["encoding_format"].get_string().get(text) == simdjson::SUCCESS) {
    request.as_base64 = text == "base64";
  }
  element input;
  if (root["input"].get(input) != simdjson::SUCCESS) {
    return std::unexpected("missing required parameter: input");
  }
  if (input.get_string().get(text) == simdjson::SUCCESS) {
    request.inputs.emplace_back(text);
  } else if (input.is_array()) {
    for (const element one : input.get_array().value_unsafe()) {
      if (one.get_string().get(text) != simdjson::SUCCESS) {
        return std::unexpected("input must be a text or an array of texts");
      }
      request.inputs.emplace_back(text);
    }
  }
  if (request.inputs.empty()) return std::unexpected("input must not be empty");
  return request;
}

std::int64_t prompt_tokens_of(const ChatRequest& request) {
  return (request.text_bytes + kBytesPerToken - 1) / kBytesPerToken +
         kTokensPerMessage * request.messages;
}

}  // namespace claviger::fakes
