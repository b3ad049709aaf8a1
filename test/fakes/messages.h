#pragma once

/// The Anthropic dialect of the fake provider, from its documents: requests checked as the real
/// one checks them (version, roles, tool results that answer no call, thinking that was altered),
/// and answers with thinking, parallel tool calls and text, whole and as events.
/// Source: npm @anthropic-ai/sdk 1.14.0, resources/messages/messages.d.ts (2026-11).

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "behaviour.h"
#include "bill.h"

namespace claviger::fakes {

struct MessagesRequest {
  std::string model;  ///< Without directives.
  bool streams = false;
  bool thinks = false;
  bool one_tool_at_a_time = false;
  bool has_schema = false;
  bool ends_with_tool_result = false;
  std::vector<std::string> tools;
  std::int64_t max_tokens = 0;
  std::int64_t text_bytes = 0;
  std::int64_t messages = 0;
  std::int64_t images = 0;
  std::int64_t documents = 0;
  std::int64_t cache_marks = 0;
};

/// What is asked of a request before it is answered.
enum class Purpose : std::uint8_t { answer, count };

/// `version` is the header `anthropic-version`. The error is a sentence, to be answered with 400.
std::expected<MessagesRequest, std::string> read_messages(std::string_view body,
                                                          std::string_view version, Purpose purpose,
                                                          Behaviour& behaviour);

std::int64_t prompt_tokens_of(const MessagesRequest& request);

std::string message_body(const Behaviour& behaviour, const MessagesRequest& request,
                         RequestNumber number, const Tokens& tokens);
/// One SSE event each, in order.
std::vector<std::string> message_events(const Behaviour& behaviour, const MessagesRequest& request,
                                        RequestNumber number, const Tokens& tokens);
std::string messages_error_body(std::int64_t status, std::string_view type,
                                std::string_view message);

}  // namespace claviger::fakes
