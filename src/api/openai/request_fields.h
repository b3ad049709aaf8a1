#pragma once

/// What each field of an OpenAI-dialect request may do to the bill: the classes of
/// money.md, "Hold" 1, as a table. A field that is not in it is unknown: it is passed on, and
/// counts as unbounded where the provider could charge for it.

#include <cstdint>
#include <string_view>

#include "exchange/request.h"

namespace claviger::api::openai {

enum class FieldClass : std::uint8_t {
  free,       ///< Changes what is generated, not what it may cost beyond the output bound.
  content,    ///< Input; bounded by its bytes.
  unbounded,  ///< Costs what nobody can tell beforehand, unless null, false or empty.
  // Fields with a reader of their own; the reader decides.
  model,
  messages,
  embedding_input,
  output_max,
  output_max_legacy,
  choices,
  stream,
  stream_options,
  tools,
  answer_form,  ///< `response_format`: its schema is part of the prompt.
  modalities,
  prediction,
  web_search_options,
  service_tier,
  end_user,
  safety_identifier,
};

/// The class of `field`, or null where this build does not know it.
const FieldClass* field_class(exchange::Operation operation, std::string_view field);

/// Whether a field of a chat message holds no more than text, bounded by its bytes. Anything
/// else may be a reference to something that we do not see.
bool is_text_message_field(std::string_view field);

}  // namespace claviger::api::openai
