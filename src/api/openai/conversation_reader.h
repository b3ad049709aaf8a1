#pragma once

/// A chat completion request, read into messages. What it means stands in the sources that
/// api/openai/request_fields.cpp names; what other servers than OpenAI's own have added is read
/// too, where callers use it (reasoning that comes back, cache marks).

#include <expected>

#include "exchange/conversation.h"
#include "exchange/request.h"

namespace claviger::api::openai {

/// See api::CallerTranslation::read_conversation.
std::expected<exchange::Conversation, exchange::BadRequest> read_conversation(
    const exchange::Request& request);

/// `low`, `xhigh`, …; unset where it is no such word.
exchange::Effort effort_of(std::string_view word);

/// Takes apart `data:image/png;base64,…`. False where it is no such URL.
bool split_data_url(std::string_view url, std::string_view& media_type, std::string_view& base64);

}  // namespace claviger::api::openai
