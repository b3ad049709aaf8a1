#pragma once

/// What the way of a request needs to know of a Messages request: model, delivery, bounds, and
/// what could cost more than its bytes say. Every field of the body is looked at once.

#include <cstdint>
#include <expected>
#include <string_view>

#include "exchange/request.h"

namespace claviger::api::anthropic {

inline constexpr std::size_t model_name_bytes_max = 512;
inline constexpr std::size_t end_user_bytes_max = 512;

/// See api::Dialect::read. Where a body is to be counted, `max_tokens` may be absent.
std::expected<exchange::Request, exchange::BadRequest> read_request(exchange::Operation operation,
                                                                    std::string_view body);

}  // namespace claviger::api::anthropic
