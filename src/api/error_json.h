#pragma once

/// What the error bodies of all dialects have in common: the verdict, and a provider's words.

#include <string>
#include <string_view>

#include "api/dialect.h"

namespace claviger::api {

/// A provider's own words in an error of ours are shown up to here.
inline constexpr std::size_t provider_words_bytes_max = 2048;

/// The object `error.claviger` of the reference, "Errors".
std::string verdict_json(const ErrorAnswer& error);

/// The words of a provider's error body, whatever its shape: `{"error":{"message":"…"}}`,
/// `{"error": "…"}` (Ollama), `{"object": "error", "message": "…"}` (vLLM), `{"detail": "…"}`
/// (FastAPI), or the text itself; at most provider_words_bytes_max, and empty where it says
/// nothing.
std::string words_of(std::string_view provider_body);

}  // namespace claviger::api
