#pragma once

/// OpenAI's Responses API as the fake provider speaks it, from its documents: requests checked as
/// the real one checks them (fields, outputs that answer no call, a bound that is too small), and
/// answers with reasoning, parallel tool calls and text, whole and as events. Answers are kept, as
/// the real ones are, so that `previous_response_id` finds them.
/// Source: npm openai 7.57.0, resources/responses/responses.d.ts (2026-11).

#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "behaviour.h"
#include "bill.h"

namespace claviger::fakes {

struct ResponsesRequest {
  std::string model;  ///< Without directives.
  bool streams = false;
  bool reasons = false;
  bool wants_encrypted_reasoning = false;
  bool one_tool_at_a_time = false;
  bool has_schema = false;
  bool is_in_background = false;
  bool is_stored = true;
  bool ends_with_tool_output = false;
  std::string previous;  ///< `previous_response_id`
  std::vector<std::string> tools;
  std::int64_t output_tokens_max = INT64_MAX;
  std::int64_t text_bytes = 0;
  std::int64_t items = 0;
  std::int64_t images = 0;
  std::int64_t files = 0;
};

/// Whether a response of that id is kept.
using IsKept = std::function<bool(std::string_view id)>;

/// The error is a sentence, to be answered with 400.
std::expected<ResponsesRequest, std::string> read_responses(std::string_view body,
                                                            const IsKept& is_kept,
                                                            Behaviour& behaviour);

std::int64_t prompt_tokens_of(const ResponsesRequest& request);

std::string response_id(RequestNumber number);
std::string response_body(const Behaviour& behaviour, const ResponsesRequest& request,
                          RequestNumber number, const Tokens& tokens);
/// One SSE event each, in order.
std::vector<std::string> response_events(const Behaviour& behaviour,
                                         const ResponsesRequest& request, RequestNumber number,
                                         const Tokens& tokens);
/// The event that says that it has failed on the way.
std::string response_failed_event(const Behaviour& behaviour, const ResponsesRequest& request,
                                  RequestNumber number);

}  // namespace claviger::fakes
