#pragma once

/// Reads a generateContent request into messages, for a provider that speaks another dialect.

#include <expected>

#include "exchange/conversation.h"
#include "exchange/request.h"

namespace claviger::api::gemini {

/// See api::CallerTranslation::read_conversation().
std::expected<exchange::Conversation, exchange::BadRequest> read_conversation(
    const exchange::Request& request);

}  // namespace claviger::api::gemini
