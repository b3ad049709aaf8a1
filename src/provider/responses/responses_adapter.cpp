#include "provider/responses/responses_adapter.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "exchange/json_tree.h"
#include "exchange/json_writer.h"
#include "provider/body_edit.h"
#include "provider/openai_adapter.h"
#include "provider/usage_reader.h"

namespace claviger::provider {
namespace {

using namespace exchange;

/// Facts as typed in npm openai 7.57.0, Response, ResponseError and ResponseUsage in
/// resources/responses/responses.d.ts (2026-11). Cached tokens stand inside the input, reasoning
/// inside the output; what its tools did is counted from the items of the output.
void take_response(const JsonNode& response, AnswerReading& reading) {
  UsageReader reader({.provider = "openai", .model = {}});
  if (response["usage"].is_object()) {
    reader.read(response);
    reading.usage_state = reader.state();
    if (reading.usage_state == UsageState::sound) reading.usage = reader.usage();
  }
  const std::string_view why = response["incomplete_details"]["reason"].text();
  reading.facts.finish_reason =
      clipped(why.empty() ? response["status"].text() : why, finish_reason_bytes_max);
}

void take_error(const JsonNode& error, AnswerReading& reading) {
  AnswerFacts& facts = reading.facts;
  facts.is_error = true;
  facts.error_message =
      clipped(error.is_string() ? error.text() : error["message"].text(), error_message_bytes_max);
  const std::string_view code = error["code"].text();
  facts.error_code = clipped(code.empty() ? error["type"].text() : code, error_code_bytes_max);
}

/// Whether an event could carry an answer or an error. Searched, not parsed: inside a text the
/// quotes would be escaped, and the names of all other events go on behind a dot.
bool may_matter(std::string_view data) {
  return data.find(R"("response")") != std::string_view::npos ||
         data.find(R"("error")") != std::string_view::npos;
}

}  // namespace

std::string ResponsesAdapter::path(const Profile& profile, const Request& request,
                                   std::string_view /*model*/) const {
  return request.operation == Operation::chat ? profile.responses_path : std::string();
}

void ResponsesAdapter::write_body(const Profile& /*profile*/, const Request& request,
                                  const Edits& edits, std::string& out) const {
  BodyEdit edit(request);
  edit.replace(request.places.model_value, json_string(edits.model));
  if (edits.output_tokens_max) {
    const std::string bound = fmt::format("{}", *edits.output_tokens_max);
    if (request.places.output_max_value.empty()) {
      edit.add_field("max_output_tokens", bound);
    } else {
      edit.replace(request.places.output_max_value, bound);
    }
  }
  edit.write(out);
}

AnswerReading ResponsesAdapter::read_answer(Operation operation, std::string_view body) const {
  AnswerReading reading;
  JsonTree tree;
  if (!tree.read(body)) {
    reading.facts.is_broken = is_cut_off(body);
    return reading;
  }
  const JsonNode root = tree.root();
  const JsonNode output = root["output"];
  reading.facts.is_empty = operation == Operation::chat && output.is_array() && output.size() == 0;
  take_response(root, reading);
  const JsonNode usage = root["usage"];
  if (usage.is_object()) {
    const auto begin = static_cast<std::size_t>(usage.raw().data() - body.data());
    reading.facts.usage = {.begin = begin, .end = begin + usage.raw().size()};
  }
  const bool has_failed = root["status"].text() == "failed";
  if (root["error"].says_something() || has_failed) take_error(root["error"], reading);
  return reading;
}

AnswerReading ResponsesAdapter::read_event(std::string_view data, const Usage& /*before*/) const {
  AnswerReading reading;
  JsonTree tree;
  if (!may_matter(data) || !tree.read(data)) return reading;
  const JsonNode event = tree.root();
  const std::string_view type = event["type"].text();
  const JsonNode response = event["response"];
  if (type == "response.completed" || type == "response.incomplete") {
    take_response(response, reading);
    reading.facts.is_end = true;
  } else if (type == "response.failed" || type == "response.cancelled") {
    take_response(response, reading);
    take_error(response["error"], reading);
  } else if (type == "error") {
    // Documented with its fields at the top; sent with an object `error`, too.
    take_error(event["error"].is_object() ? event["error"] : event, reading);
  } else if (type.empty() && event["error"].says_something()) {
    take_error(event["error"], reading);
  }
  return reading;
}

bool ResponsesAdapter::is_beginning(std::string_view data) const {
  JsonTree tree;
  if (!tree.read(data)) return false;
  const JsonNode event = tree.root();
  const std::string_view type = event["type"].text();
  constexpr std::string_view announcing[] = {"response.created", "response.queued",
                                             "response.in_progress"};
  if (std::find(std::begin(announcing), std::end(announcing), type) != std::end(announcing)) {
    return true;
  }
  if (type == "response.output_item.added") {
    const std::string_view item = event["item"]["type"].text();
    return item == "message" || item == "reasoning";
  }
  return type == "response.content_part.added" && event["part"]["text"].text().empty();
}

}  // namespace claviger::provider
