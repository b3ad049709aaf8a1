#pragma once

/// A Responses request, read into messages. What it means stands in the source that
/// api/responses/request_fields.cpp names.
///
/// An answer of this API is a list of items, and a conversation the list of all of them: reasoning,
/// message and calls of one turn stand side by side. Here they become one message of the assistant.

#include <expected>
#include <string_view>

#include "exchange/conversation.h"
#include "exchange/request.h"

namespace claviger::api::responses {

/// What an `encrypted_content` begins with that we wrote ourselves (answer_writer.h): the signature
/// of the thought beside it, or a thought that only its provider can read.
inline constexpr std::string_view signature_mark = "claviger.signature.";
inline constexpr std::string_view redacted_mark = "claviger.redacted.";

/// See api::CallerTranslation::read_conversation.
std::expected<exchange::Conversation, exchange::BadRequest> read_conversation(
    const exchange::Request& request);

}  // namespace claviger::api::responses
