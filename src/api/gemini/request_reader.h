#pragma once

/// Reads a request body of the Gemini dialect in one pass, as far as routing, bounds and
/// delivery need it. The model and whether it streams stand in the path: whoever serves it sets
/// them. Field names are Google's JSON (`maxOutputTokens`); the original names of its protocol
/// buffers (`max_output_tokens`) are taken as well, as Google takes them.

#include <cstdint>
#include <expected>
#include <string_view>

#include "exchange/request.h"

namespace claviger::api::gemini {

/// https://ai.google.dev/api/generate-content#generationconfig (2026-11) says 8.
inline constexpr std::int64_t choices_max = 8;

/// `body` must have 64 readable bytes behind its end, and outlive the Request.
std::expected<exchange::Request, exchange::BadRequest> read_request(exchange::Operation operation,
                                                                    std::string_view body);

}  // namespace claviger::api::gemini
