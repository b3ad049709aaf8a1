#pragma once

/// Reads a request body of OpenAI's Responses API in one pass: what each field means for the bill,
/// and where the few things stand that are changed on the way out. See api/strict_json.h for what
/// "strict" is.

#include <expected>
#include <string_view>

#include "exchange/request.h"

namespace claviger::api::responses {

/// `body` must have 64 readable bytes behind its end, and outlive the Request.
std::expected<exchange::Request, exchange::BadRequest> read_request(exchange::Operation operation,
                                                                    std::string_view body);

}  // namespace claviger::api::responses
