#pragma once

/// Writes answers of other dialects as OpenAI's Responses API has them, whole and as events. The
/// source is npm openai 7.57.0, Response and ResponseStreamEvent in
/// resources/responses/responses.d.ts (2026-11).
///
/// What repeats the request (`instructions`, `tools`, `temperature`, …) is neutral here, because
/// the request is given up as soon as its provider has it. `store` is false: nothing is kept.
///
/// A thought is a `reasoning` item with a summary. What its provider signed or encrypted stands in
/// `encrypted_content`, asked for or not, since nothing else brings it back to that provider.

#include <memory>
#include <string>

#include "exchange/answer.h"

namespace claviger::api::responses {

/// Of the texts that a stream repeats at its end, so much is kept.
inline constexpr std::size_t answer_bytes_max = std::size_t{64} << 20;

std::string response(const exchange::Answer& answer, const exchange::Bill& bill);
std::unique_ptr<exchange::EventWriter> response_stream_writer();

}  // namespace claviger::api::responses
