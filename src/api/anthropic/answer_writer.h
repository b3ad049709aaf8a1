#pragma once

/// Messages, whole and streamed, written from an answer of another dialect. The shapes are those
/// of npm @anthropic-ai/sdk 1.14.0, resources/messages/messages.d.ts (2026-11).

#include <memory>
#include <string>
#include <string_view>

#include "exchange/answer.h"

namespace claviger::api::anthropic {

std::string message(const exchange::Answer& answer, const exchange::Bill& bill);
std::unique_ptr<exchange::EventWriter> message_stream_writer();

/// Anthropic's words: `end_turn`, `max_tokens`, `tool_use`, …
std::string_view stop_reason_of(exchange::StopReason reason);

}  // namespace claviger::api::anthropic
