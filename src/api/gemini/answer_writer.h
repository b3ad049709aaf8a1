#pragma once

/// generateContent answers, whole and streamed, written from an answer of another dialect. The
/// shapes are those of https://ai.google.dev/api/generate-content and npm @google/genai 2.14.0,
/// dist/genai.d.ts (2026-11).

#include <memory>
#include <string>
#include <string_view>

#include "exchange/answer.h"

namespace claviger::api::gemini {

std::string generate_content_response(const exchange::Answer& answer, const exchange::Bill& bill);
std::unique_ptr<exchange::EventWriter> content_stream_writer();

/// Google's words: `STOP`, `MAX_TOKENS`, `SAFETY`, `OTHER`.
std::string_view finish_reason_of(exchange::StopReason reason);

}  // namespace claviger::api::gemini
