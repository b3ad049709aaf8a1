#pragma once

/// What each field, item and tool of a Responses request may do to the bill: the classes of
/// money.md, "Hold" 1, as tables. What is in none of them is unknown: it is passed on, and counts
/// as unbounded where the provider could charge for it.

#include <cstdint>
#include <string_view>

namespace claviger::api::responses {

enum class FieldClass : std::uint8_t {
  free,       ///< Changes what is generated, not what it may cost beyond the output bound.
  content,    ///< Input; bounded by its bytes.
  unbounded,  ///< Costs what nobody can tell beforehand, unless null, false or empty.
  stored,     ///< Refers to input that the provider keeps: bounded by the model's context limit.
  // Fields with a reader of their own; the reader decides.
  model,
  input,
  output_max,
  tool_calls_max,
  stream,
  stream_options,
  tools,
  text,
  reasoning,
  service_tier,
  end_user,
  safety_identifier,
};

/// The class of `field`, or null where this build does not know it.
const FieldClass* field_class(std::string_view field);

/// Whether all that an item of this type puts into the prompt is the text in it.
bool is_text_item(std::string_view type);
/// Whether a part of an item's content is text.
bool is_text_part(std::string_view type);

enum class ToolClass : std::uint8_t {
  described_here,    ///< The caller runs it, and its description stands in the request.
  described_there,   ///< The caller runs it, and the provider describes it to the model.
  web_search,        ///< The provider runs it, and bills each search.
  file_search,       ///< Likewise.
  code_interpreter,  ///< The provider runs it, and bills each container.
  unbounded,         ///< The provider runs it, and nothing bounds what that costs.
};
ToolClass tool_class(std::string_view type);

}  // namespace claviger::api::responses
