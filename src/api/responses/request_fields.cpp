#include "api/responses/request_fields.h"

#include <algorithm>
#include <iterator>

#include "base/name_index.h"

namespace claviger::api::responses {
namespace {

struct Row {
  std::string_view name;
  FieldClass field_class;
};

using enum FieldClass;

/// Source: npm openai 7.57.0, ResponseCreateParamsBase in resources/responses/responses.d.ts
/// (2026-11). `access_programs` is left out, since nothing says what it costs.
constexpr Row fields[] = {
    // An answer that is made while nobody listens: what it cost is known once somebody asks for it.
    {"background", unbounded},
    // Compaction generates beside the answer, and nothing bounds how much.
    {"context_management", unbounded},
    {"conversation", stored},
    {"image", free},  // Compression makes pictures cheaper.
    {"include", free},
    {"input", input},
    {"instructions", content},
    {"max_output_tokens", output_max},
    {"max_tool_calls", tool_calls_max},
    {"metadata", free},  // Stored with the response, never shown to the model.
    {"model", model},
    // A second model reads input and output; what it costs is stated nowhere.
    {"moderation", unbounded},
    {"parallel_tool_calls", free},
    {"previous_response_id", stored},
    // A template may hold tools of the provider's, which we do not see.
    {"prompt", unbounded},
    {"prompt_cache_key", free},
    // Writes are held at the dearest input rate, which includes the rate of cache writes.
    {"prompt_cache_options", free},
    {"prompt_cache_retention", free},
    {"reasoning", reasoning},
    {"safety_identifier", safety_identifier},
    {"service_tier", service_tier},
    {"store", free},  // Keeping is free of charge; what is kept costs when it is referred to.
    {"stream", stream},
    {"stream_options", stream_options},
    {"temperature", free},
    {"text", text},         // Its schema is part of the prompt.
    {"tool_choice", free},  // Names tools that stand in `tools`.
    {"tools", tools},
    {"top_logprobs", free},
    {"top_p", free},
    {"truncation", free},  // Drops input.
    {"user", end_user},
};
constexpr auto index = index_by<&Row::name>(fields);

template <std::size_t N>
bool is_one_of(std::string_view name, const std::string_view (&names)[N]) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

}  // namespace

const FieldClass* field_class(std::string_view field) {
  const std::size_t row = index.find(field);
  return row == index.none ? nullptr : &fields[row].field_class;
}

/// Of ResponseInputItem (npm openai 7.57.0, 2026-11), those that hold what they say. The others
/// refer to something that the provider keeps, or to what its tools found. Reasoning that comes
/// back encrypted is longer than the text in it.
bool is_text_item(std::string_view type) {
  constexpr std::string_view types[] = {
      "message",          "function_call",           "function_call_output",
      "reasoning",        "custom_tool_call",        "custom_tool_call_output",
      "local_shell_call", "local_shell_call_output", "shell_call",
      "apply_patch_call", "apply_patch_call_output", "shell_call_output",
  };
  return is_one_of(type, types);
}

bool is_text_part(std::string_view type) {
  constexpr std::string_view types[] = {"input_text",   "output_text",    "text",
                                        "summary_text", "reasoning_text", "refusal"};
  return is_one_of(type, types);
}

/// Of Tool (npm openai 7.57.0, 2026-11). A hosted container behind `shell`, pictures that another
/// model paints, and servers of others (`mcp`) have no bound, nor has what is not known.
ToolClass tool_class(std::string_view type) {
  constexpr std::string_view here[] = {"function", "custom"};
  constexpr std::string_view there[] = {"apply_patch", "computer", "computer_use_preview",
                                        "local_shell"};
  if (is_one_of(type, here)) return ToolClass::described_here;
  if (is_one_of(type, there)) return ToolClass::described_there;
  if (type.starts_with("web_search")) return ToolClass::web_search;
  if (type == "file_search") return ToolClass::file_search;
  if (type == "code_interpreter") return ToolClass::code_interpreter;
  return ToolClass::unbounded;
}

}  // namespace claviger::api::responses
