#pragma once

/// Reads answers of the OpenAI dialect as its many providers really write them: what is inside
/// what, which names they use, and the shapes in which they report a failure with status 200.

#include <cstdint>
#include <expected>
#include <string_view>

#include "provider/adapter.h"

namespace claviger::provider::openai {

AnswerReading read_answer(exchange::Operation operation, std::string_view body);
AnswerReading read_event(std::string_view data);

/// See Adapter::is_beginning().
bool is_beginning(std::string_view data);

/// Whether the event could carry usage, an error or an ending. Searched, not parsed; errs on
/// the side of true. A key counts as its plain spelling only: providers do not escape letters.
bool may_matter(std::string_view data);

enum class StatedCostError : std::uint8_t {
  not_a_number,  ///< Not a number of JSON.
  impossible,    ///< Negative, or more than 64 bits of nano-dollars.
};

/// A JSON number of dollars ("0.95", "1.35e-05") as nano-dollars, exactly, rounded up: a
/// double in between would be off by a rounding error, and a cost is never rounded down.
std::expected<NanoUsd, StatedCostError> parse_stated_cost(std::string_view json);

}  // namespace claviger::provider::openai
