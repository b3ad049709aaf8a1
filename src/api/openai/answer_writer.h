#pragma once

/// Chat completions, whole and streamed, written from an answer of another dialect. The shapes
/// are those of npm openai 6.49.0, src/resources/chat/completions/completions.ts (2026-11).
///
/// What a model thought has no field there. It is written as DeepSeek and vLLM do
/// (`reasoning_content`) and, with its signature, as OpenRouter does (`reasoning_details`), so
/// that callers who keep the message and send it back return the signature unchanged.

#include <memory>
#include <string>
#include <string_view>

#include "exchange/answer.h"
#include "exchange/request.h"

namespace claviger::api::openai {

std::string chat_completion(const exchange::Answer& answer, const exchange::Bill& bill);
std::unique_ptr<exchange::EventWriter> chat_stream_writer(const exchange::Request& request);

/// OpenAI's words: `stop`, `length`, `tool_calls`, `content_filter`.
std::string_view finish_reason_of(exchange::StopReason reason);

}  // namespace claviger::api::openai
