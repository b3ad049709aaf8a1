#pragma once

/// How the fake provider answers a request: plainly, or with whatever fault a test asks for.
///
/// Directives reach it four ways, the later ones winning: POST /_fake/behave (from then on),
/// the header `x-fake: {…}`, a `"fake": {…}` object in the request's body (Claviger passes on
/// fields that it does not know), and `~name=value` behind the model's name
/// (`gpt-4o-mini~status=429~chunks=3`).

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace claviger::fakes {

/// Not given: the fake decides.
inline constexpr std::int64_t kUnset = -1;

/// The names of the members are the names of the directives.
struct Behaviour {
  // What is answered.
  std::int64_t status = 200;
  std::string body;           ///< Instead of the answer's own.
  std::string content_type;   ///< Instead of the right one.
  std::string error_code;     ///< For status >= 400: the error object's code,
  std::string error_message;  ///< and message.
  std::string finish_reason;  ///< Instead of `stop` or `length`.
  std::vector<std::pair<std::string, std::string>> headers;  ///< Beside the usual ones.

  // How much. A bound in the request (`max_tokens`) is obeyed unless `never_ends`.
  std::int64_t prompt_tokens = kUnset;        ///< Instead of a quarter of the text's bytes.
  std::int64_t cached_tokens = 0;             ///< The part of the prompt read from the cache.
  std::int64_t completion_tokens = kUnset;    ///< Instead of `--completion-tokens`.
  std::int64_t completion_tokens_spread = 0;  ///< Up to as many more, by the seed.
  /// Generated and billed, within the bound, after a caller left a stream: a provider that
  /// notices late.
  std::int64_t unseen_tokens = 0;
  std::int64_t reasoning_tokens = 0;   ///< Said to be part of the completion.
  std::int64_t answer_bytes = kUnset;  ///< Length of the text of an answer in one piece.

  // Streams. The completion's tokens are spread evenly over the events.
  std::int64_t chunks = kUnset;              ///< Events with text; without it one a token.
  std::int64_t bytes_per_chunk = kUnset;     ///< Text in each of them.
  std::int64_t huge_event_bytes = kUnset;    ///< Text in the first of them.
  std::int64_t error_after_events = kUnset;  ///< Then an error object, and the end.
  bool never_ends = false;  ///< An event a token for ever, whatever bound was given.

  // When.
  std::int64_t delay_ms_before_head = 0;
  std::int64_t delay_ms_between_events = 0;
  std::int64_t delay_us_between_events = 0;  ///< Added to the former.
  std::int64_t stall_after_events = kUnset;  ///< Then silence, with the connection open.

  // How the connection fails.
  std::int64_t truncate_bytes = kUnset;  ///< Closes after so many bytes behind the head.
  bool reset = false;  ///< Resets: before the head, or where `truncate_bytes` says.

  // What is said about usage: honest, absent, negative, every_chunk, twice, absurd, malformed.
  std::string usage = "honest";

  bool free = false;            ///< Not billed, whatever is said.
  std::int64_t times = kUnset;  ///< /_fake/behave: for so many requests only.
};

/// Applies the directives of a JSON object. The error is a sentence naming the directive.
/// `object_json` needs no padding.
std::expected<void, std::string> apply_json(std::string_view object_json, Behaviour& behaviour);

/// Reads what POST /_fake/behave takes: one object, or an array of them, one after the other.
std::expected<std::vector<Behaviour>, std::string> read_behaviours(std::string_view json);

/// Takes `~name=value…` off the model's name and applies it.
std::expected<void, std::string> apply_model_directives(std::string_view& model,
                                                        Behaviour& behaviour);

}  // namespace claviger::fakes
