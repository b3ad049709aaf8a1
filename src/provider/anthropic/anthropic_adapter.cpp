#include "provider/anthropic/anthropic_adapter.h"

#include <fmt/format.h>

#include <algorithm>

#include "exchange/json_writer.h"
#include "provider/body_edit.h"
#include "provider/usage_reader.h"

namespace claviger::provider {
namespace {

using namespace exchange;

constexpr std::size_t error_message_bytes_max = 1024;
constexpr std::size_t error_code_bytes_max = 128;
constexpr std::size_t finish_reason_bytes_max = 64;

/// One usage object over what was known before. Source: npm @anthropic-ai/sdk 1.14.0, Usage and
/// MessageDeltaUsage (2026-11): counts are cumulative, cached tokens stand outside the input.
void take_usage(JsonNode from, const Usage& before, AnswerReading& reading) {
  if (!from.is_object()) return;
  UsageReader reader({.provider = "anthropic", .model = {}});
  reader.read_usage(from);
  reading.usage_state = reader.state();
  if (reading.usage_state == UsageState::sound) reading.usage = laid_over(before, reader.usage());
}

void take_error(JsonNode from, AnswerReading& reading) {
  AnswerFacts& facts = reading.facts;
  facts.is_error = true;
  facts.error_message = clipped(from["message"].text(), error_message_bytes_max);
  facts.error_code = clipped(from["type"].text(), error_code_bytes_max);
}

/// Whether an event could carry usage, an error or an ending. Searched, not parsed: inside a
/// text the quotes would be escaped.
bool may_matter(std::string_view data) {
  for (const std::string_view word : {R"("message_)", R"("error")", R"("usage")"}) {
    if (data.find(word) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

std::string AnthropicAdapter::path(const Profile& profile, const Request& request,
                                   std::string_view /*model*/) const {
  switch (request.operation) {
    case Operation::chat:
      return profile.chat_path;
    case Operation::embeddings:
      return profile.embeddings_path;
    case Operation::count_tokens:
      return profile.count_tokens_path;
  }
  return {};
}

void AnthropicAdapter::write_body(const Profile& /*profile*/, const Request& request,
                                  const Edits& edits, std::string& out) const {
  BodyEdit edit(request);
  edit.replace(request.places.model_value, json_string(edits.model));
  const Span bound = request.places.output_max_legacy_value;
  if (edits.output_tokens_max && !bound.empty()) {
    const std::int64_t tokens = *edits.output_tokens_max;
    edit.replace(bound, fmt::format("{}", tokens));
    // Thinking must fit in the bound, or the provider refuses what we have clamped.
    const bool must_shrink =
        request.thinking_tokens_max >= tokens && tokens > anthropic::thinking_tokens_min;
    if (must_shrink) {
      edit.replace(request.places.thinking_budget_value,
                   fmt::format("{}", std::max(anthropic::thinking_tokens_min, tokens / 5 * 4)));
    }
  }
  edit.write(out);
}

AnswerReading AnthropicAdapter::read_answer(Operation operation, std::string_view body) const {
  AnswerReading reading;
  JsonTree tree;
  if (!tree.read(body)) {
    reading.facts.is_broken = is_cut_off(body);
    return reading;
  }
  const JsonNode root = tree.root();
  const JsonNode content = root["content"];
  reading.facts.is_empty =
      operation == Operation::chat && content.is_array() && content.size() == 0;
  const JsonNode usage = root["usage"];
  if (usage.is_object()) {
    const auto begin = static_cast<std::size_t>(usage.raw().data() - body.data());
    reading.facts.usage = {.begin = begin, .end = begin + usage.raw().size()};
  }
  take_usage(usage, {}, reading);
  reading.facts.finish_reason = clipped(root["stop_reason"].text(), finish_reason_bytes_max);
  if (root["type"].text() == "error") take_error(root["error"], reading);
  return reading;
}

AnswerReading AnthropicAdapter::read_event(std::string_view data, const Usage& before) const {
  AnswerReading reading;
  JsonTree tree;
  if (!may_matter(data) || !tree.read(data)) return reading;
  const JsonNode event = tree.root();
  const std::string_view type = event["type"].text();
  if (type == "message_start") {
    take_usage(event["message"]["usage"], before, reading);
  } else if (type == "message_delta") {
    take_usage(event["usage"], before, reading);
    reading.facts.finish_reason =
        clipped(event["delta"]["stop_reason"].text(), finish_reason_bytes_max);
  } else if (type == "message_stop") {
    reading.facts.is_end = true;
  } else if (type == "error") {
    take_error(event["error"], reading);
  }
  return reading;
}

bool AnthropicAdapter::is_beginning(std::string_view data) const {
  JsonTree tree;
  if (!tree.read(data)) return false;
  const JsonNode event = tree.root();
  const std::string_view type = event["type"].text();
  if (type == "message_start" || type == "ping") return true;
  if (type != "content_block_start") return false;
  const JsonNode block = event["content_block"];
  const std::string_view kind = block["type"].text();
  return (kind == "text" || kind == "thinking") && block["text"].text().empty() &&
         block["thinking"].text().empty();
}

}  // namespace claviger::provider
