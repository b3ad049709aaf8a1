#pragma once

/// A Messages request, read into messages. See request_reader.cpp for the sources.

#include <expected>

#include "exchange/conversation.h"
#include "exchange/request.h"

namespace claviger::api::anthropic {

/// See api::CallerTranslation::read_conversation.
std::expected<exchange::Conversation, exchange::BadRequest> read_conversation(
    const exchange::Request& request);

}  // namespace claviger::api::anthropic
