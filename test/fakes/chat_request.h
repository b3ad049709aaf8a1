#pragma once

/// What the fake provider needs to know of a request's body.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "behaviour.h"

namespace claviger::fakes {

struct ChatRequest {
  std::string model;  ///< Without directives.
  bool streams = false;
  bool wants_usage = false;  ///< stream_options.include_usage
  std::optional<std::int64_t> completion_tokens_max;
  std::int64_t choices = 1;
  std::int64_t text_bytes = 0;  ///< Of all messages.
  std::int64_t messages = 0;
};

struct EmbeddingRequest {
  std::string model;
  std::vector<std::string> inputs;
  std::int64_t dimensions = 16;
  bool as_base64 = false;
};

/// Both apply what the body says about `behaviour`. The error is a sentence, to be answered
/// with 400.
std::expected<ChatRequest, std::string> read_chat(std::string_view body, Behaviour& behaviour);
std::expected<EmbeddingRequest, std::string> read_embedding(std::string_view body,
                                                            Behaviour& behaviour);

/// The fake's tokenizer: a token for every four bytes of text, and three for every message.
/// Never more than the body has bytes, as with any byte-level tokenizer.
std::int64_t prompt_tokens_of(const ChatRequest& request);

}  // namespace claviger::fakes
