#pragma once

/// Reads a request body of the OpenAI dialect in one pass. See request_fields.h for what each
/// field means for the bill, and api/strict_json.h for what "strict" is.

#include <cstdint>
#include <expected>
#include <string_view>

#include "exchange/request.h"

namespace claviger::api::openai {

/// A longer model name is nobody's; it would only fill logs.
inline constexpr std::size_t model_name_bytes_max = 256;
/// OpenAI's own bound is 64 for `safety_identifier`; others take e-mail addresses.
inline constexpr std::size_t end_user_bytes_max = 256;
/// OpenAI's own bound of `n` (https://platform.openai.com/docs/api-reference/chat, 2026-11).
inline constexpr std::int64_t choices_max = 128;

/// `body` must have 64 readable bytes behind its end, and outlive the Request.
std::expected<exchange::Request, exchange::BadRequest> read_request(exchange::Operation operation,
                                                                    std::string_view body);

}  // namespace claviger::api::openai
