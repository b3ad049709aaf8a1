#include "api/openai/request_fields.h"

#include "base/name_index.h"

namespace claviger::api::openai {
namespace {

struct Row {
  std::string_view name;
  FieldClass field_class;
};

using enum FieldClass;

/// Chat completions. Sources: https://platform.openai.com/docs/api-reference/chat/create as
/// typed in the npm package openai 6.49.0, src/resources/chat/completions/completions.ts
/// (2026-11); for the second half the npm packages groq-sdk 1.6.0, together-ai 0.52.0,
/// @cerebras/cerebras_cloud_sdk 1.91.0, @mistralai/mistralai 2.7.0, @openrouter/sdk 1.3.19
/// (2026-11) and the servers named. Sorted by name.
constexpr Row chat_fields[] = {
    // Voice and format of an answer that `modalities` asks for; its tokens count as output (npm
    // openai 6.49.0, CompletionTokensDetails, 2026-11).
    {"audio", free},
    {"bad_words", content},             // vLLM
    {"best_of", choices},               // vLLM generates this many and shows `n`.
    {"cache_prompt", free},             // llama.cpp
    {"chat_template_kwargs", content},  // vLLM, llama.cpp, Together: goes into the prompt
    {"enable_thinking", free},          // vLLM, Qwen: thinking counts as output
    {"frequency_penalty", free},
    {"function_call", content},
    {"functions", content},       // Their descriptions are part of the prompt.
    {"grammar", content},         // llama.cpp
    {"guided_choice", content},   // vLLM
    {"guided_grammar", content},  // vLLM
    {"guided_json", content},     // vLLM
    {"guided_regex", content},    // vLLM
    {"ignore_eos", free},         // vLLM: up to the output bound all the same
    {"include_reasoning", free},  // Groq, OpenRouter: hides it, changes no count
    {"keep_alive", free},         // Ollama: memory, not money
    {"logit_bias", content},
    {"logprobs", free},
    {"max_completion_tokens", output_max},
    // Other servers' own names for the output bound. We could not make ours bind beside them.
    {"max_gen_tokens", unbounded},
    {"max_new_tokens", unbounded},
    {"max_output_tokens", unbounded},
    {"max_tokens", output_max_legacy},
    {"messages", messages},
    {"metadata", free},  // Stored with the completion, never shown to the model.
    {"min_p", free},
    {"min_tokens", free},  // vLLM: below the output bound, or the provider refuses
    {"mirostat", free},    // llama.cpp
    {"modalities", modalities},
    {"model", model},
    // A second model reads input and output; what it costs is stated nowhere.
    {"moderation", unbounded},
    {"n", choices},
    {"n_predict", unbounded},  // llama.cpp's name for the output bound, as above
    {"parallel_tool_calls", free},
    // Predicted tokens that are not used are billed as output (npm openai 6.49.0,
    // CompletionTokensDetails, 2026-11); nothing says that the output bound covers them.
    {"prediction", prediction},
    {"presence_penalty", free},
    {"prompt_cache_key", free},
    // Writes are held at the dearest input rate, which includes the rate of cache writes.
    {"prompt_cache_options", free},
    {"prompt_cache_retention", free},
    {"prompt_mode", free},       // Mistral: a system prompt of its own, inside its own count
    {"random_seed", free},       // Mistral
    {"reasoning", free},         // OpenRouter: reasoning counts as output
    {"reasoning_effort", free},  // Reasoning counts as output.
    {"reasoning_format", free},  // Groq
    {"repetition_penalty", free},
    {"response_format", answer_form},
    {"safe_prompt", free},  // Mistral
    {"safety_identifier", safety_identifier},
    {"seed", free},
    {"service_tier", service_tier},
    {"stop", content},
    {"stop_token_ids", free},  // vLLM
    // Keeping a completion for evaluations is free of charge; nothing is referred to by it.
    {"store", free},
    {"stream", stream},
    {"stream_options", stream_options},
    {"structured_outputs", content},  // vLLM
    {"temperature", free},
    {"thinking", free},         // DeepSeek, z.ai: thinking counts as output
    {"thinking_budget", free},  // Qwen
    {"tool_choice", free},
    {"tools", tools},
    {"top_a", free},
    {"top_k", free},
    {"top_logprobs", free},
    {"top_p", free},
    {"typical_p", free},
    // Beam search generates several answers and shows one.
    {"use_beam_search", unbounded},
    {"user", end_user},
    {"verbosity", free},
    // How models search that always do.
    {"web_search_options", web_search_options},
};

/// Embeddings. Source: https://platform.openai.com/docs/api-reference/embeddings/create, as
/// typed in the npm package openai 6.49.0, src/resources/embeddings.ts (2026-11).
constexpr Row embedding_fields[] = {
    {"dimensions", free}, {"encoding_format", free}, {"input", embedding_input},
    {"model", model},     {"user", end_user},
};

constexpr auto chat_index = index_by<&Row::name>(chat_fields);
constexpr auto embedding_index = index_by<&Row::name>(embedding_fields);

template <std::size_t N>
const FieldClass* find(const NameIndex<N>& index, const Row (&rows)[N], std::string_view field) {
  const std::size_t row = index.find(field);
  return row == index.none ? nullptr : &rows[row].field_class;
}

}  // namespace

const FieldClass* field_class(exchange::Operation operation, std::string_view field) {
  return operation == exchange::Operation::embeddings
             ? find(embedding_index, embedding_fields, field)
             : find(chat_index, chat_fields, field);
}

bool is_text_message_field(std::string_view field) {
  // The union of OpenAI's message types (npm openai 6.49.0, 2026-11) and what providers add
  // for reasoning (DeepSeek, vLLM, OpenRouter) and prompt caching. `audio` is not among them:
  // it refers to an earlier spoken answer.
  static constexpr std::string_view names[] = {
      "cache_control", "content",   "function_call",     "name",
      "prefix",        "reasoning", "reasoning_content", "reasoning_details",
      "refusal",       "role",      "tool_call_id",      "tool_calls",
  };
  static constexpr NameIndex<std::size(names)> index([](std::size_t i) { return names[i]; });
  return index.contains(field);
}

}  // namespace claviger::api::openai
