#include "provider/gemini/gemini_adapter.h"

#include <fmt/format.h>

#include "exchange/json_writer.h"
#include "provider/body_edit.h"
#include "provider/usage_reader.h"

namespace claviger::provider {
namespace {

using namespace exchange;

constexpr std::size_t error_message_bytes_max = 1024;
constexpr std::size_t error_code_bytes_max = 128;
constexpr std::size_t finish_reason_bytes_max = 64;

/// What a response consumed, over what earlier ones of its stream said. The whole of it is read:
/// what was searched stands beside the counts, in its candidates.
void take_usage(JsonNode response, const Usage& before, AnswerReading& reading) {
  UsageReader reader({.provider = "google", .model = {}});
  reader.read(response);
  reading.usage_state = reader.state();
  if (reading.usage_state == UsageState::sound) reading.usage = laid_over(before, reader.usage());
}

void take_error(JsonNode error, AnswerReading& reading) {
  reading.facts.is_error = true;
  reading.facts.error_message = clipped(error["message"].text(), error_message_bytes_max);
  reading.facts.error_code = clipped(error["status"].text(), error_code_bytes_max);
}

AnswerReading read_response(JsonNode root, std::string_view whole, const Usage& before) {
  AnswerReading reading;
  const JsonNode usage = root["usageMetadata"];
  if (usage.is_object()) {
    const auto begin = static_cast<std::size_t>(usage.raw().data() - whole.data());
    reading.facts.usage = {.begin = begin, .end = begin + usage.raw().size()};
  }
  take_usage(root, before, reading);
  for (const JsonNode candidate : root["candidates"]) {
    const std::string_view reason = candidate["finishReason"].text();
    if (!reason.empty()) reading.facts.finish_reason = clipped(reason, finish_reason_bytes_max);
  }
  const std::string_view blocked = root["promptFeedback"]["blockReason"].text();
  if (!blocked.empty()) reading.facts.finish_reason = clipped(blocked, finish_reason_bytes_max);
  if (root["error"].is_object()) take_error(root["error"], reading);
  return reading;
}

/// Whether an event could carry usage, an error or an ending. Searched, not parsed: inside a
/// text the quotes would be escaped.
bool may_matter(std::string_view data) {
  for (const std::string_view word : {R"("usageMetadata")", R"("error")", R"("finishReason")",
                                      R"("blockReason")", R"("groundingMetadata")"}) {
    if (data.find(word) != std::string_view::npos) return true;
  }
  return false;
}

/// Each request of a batch names the model again.
void write_batch(const Request& request, std::string_view named, std::string& out) {
  JsonTree tree;
  const std::string_view body = request.body;
  std::size_t written = 0;
  if (tree.read(body)) {
    for (const JsonNode one : tree.root()["requests"]) {
      const JsonNode model = one["model"];
      if (!model.is_string()) continue;
      const auto begin = static_cast<std::size_t>(model.raw().data() - body.data());
      out.append(body.substr(written, begin - written)).append(named);
      written = begin + model.raw().size();
    }
  }
  out += body.substr(written);
}

std::string_view without_prefix(std::string_view model) {
  constexpr std::string_view prefix = "models/";
  return model.starts_with(prefix) ? model.substr(prefix.size()) : model;
}

}  // namespace

std::string GeminiAdapter::path(const Profile& profile, const Request& request,
                                std::string_view model) const {
  std::string_view collection = profile.chat_path;
  std::string_view verb;
  switch (request.operation) {
    case Operation::chat:
      verb = request.delivery == Delivery::streamed ? "streamGenerateContent?alt=sse"
                                                    : "generateContent";
      break;
    case Operation::embeddings:
      // Callers of another dialect would need their inputs translated.
      if (request.dialect != DialectId::gemini) return {};
      collection = profile.embeddings_path;
      verb = request.is_batch ? "batchEmbedContents" : "embedContent";
      break;
    case Operation::count_tokens:
      collection = profile.count_tokens_path;
      verb = "countTokens";
      break;
  }
  if (collection.empty()) return {};
  return fmt::format("{}/{}:{}", collection, without_prefix(model), verb);
}

void GeminiAdapter::write_body(const Profile& /*profile*/, const Request& request,
                               const Edits& edits, std::string& out) const {
  const std::string named = json_string(fmt::format("models/{}", without_prefix(edits.model)));
  if (request.is_batch) return write_batch(request, named, out);
  BodyEdit edit(request);
  if (!request.places.model_value.empty()) edit.replace(request.places.model_value, named);
  if (edits.output_tokens_max && request.operation == Operation::chat) {
    const std::string bound = fmt::format("{}", *edits.output_tokens_max);
    const Request::Places& places = request.places;
    if (!places.output_max_value.empty()) {
      edit.replace(places.output_max_value, bound);
    } else if (!places.generation_config_open.empty()) {
      edit.replace(places.generation_config_open,
                   fmt::format("{{\"maxOutputTokens\":{}{}", bound,
                               places.generation_config_is_empty ? "" : ","));
    } else {
      edit.add_field("generationConfig", fmt::format("{{\"maxOutputTokens\":{}}}", bound));
    }
  }
  edit.write(out);
}

AnswerReading GeminiAdapter::read_answer(Operation operation, std::string_view body) const {
  JsonTree tree;
  if (tree.read(body)) return read_response(tree.root(), body, {});
  AnswerReading reading;
  reading.facts.is_broken = is_cut_off(body);
  return reading;
}

/// Every event has a part of the answer, or says why there is none.
bool GeminiAdapter::is_beginning(std::string_view /*data*/) const {
  return false;
}

AnswerReading GeminiAdapter::read_event(std::string_view data, const Usage& before) const {
  JsonTree tree;
  if (!may_matter(data) || !tree.read(data)) return {};
  return read_response(tree.root(), data, before);
}

}  // namespace claviger::provider
