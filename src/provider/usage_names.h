#pragma once

/// What providers call the things that they count, as data: where in a usage object a number
/// stands, and what it is. Each name with where it was checked; all 2026-11.
///
/// One table for all dialects, because their names do not collide: where the same name means two
/// things (`input_tokens` holds cached tokens at OpenAI and not at Anthropic), its neighbours
/// tell, and usage_reader.cpp says how.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace claviger::provider {

enum class Count : std::uint8_t {
  prompt,      ///< All that went in, cached tokens too.
  input,       ///< The same, or only the fresh part: its neighbours tell.
  completion,  ///< What came out; reasoning is inside, or beside it.
  total,
  cached,   ///< Read from a cache.
  written,  ///< Written to one, however long; a total where the next two are there.
  written_5m,
  written_1h,
  written_inside,  ///< Written, and inside the prompt.
  cached_apart,    ///< As `cached`, by a name that says that the input does not hold it.
  reasoning,
  thoughts,     ///< Reasoning that is never inside the completion.
  tool_prompt,  ///< What the provider's own tools put in, beside the prompt.
  citations,    ///< The same, for research models.
  audio_in,     ///< Cached sound too.
  audio_out,
  cached_audio,
  image_in,  ///< Cached pictures too.
  image_out,
  cached_image,
  web_searches,
  more_web_searches,  ///< Added to the former: searches of another kind at the same price.
  file_searches,
  code_sessions,
  rerank_searches,
  images,
  pages,
  characters,
};
inline constexpr std::size_t counts_count = 28;

struct CountName {
  std::string_view path;  ///< Inside a usage object, by dots.
  Count count;
};

inline constexpr CountName count_names[] = {
    // OpenAI chat completions, completions, embeddings: npm openai 6.49.0, CompletionUsage. Nearly
    // every other provider speaks it.
    {"prompt_tokens", Count::prompt},
    {"completion_tokens", Count::completion},
    {"total_tokens", Count::total},
    {"prompt_tokens_details.cached_tokens", Count::cached},
    {"prompt_tokens_details.cache_write_tokens", Count::written_inside},  // OpenRouter too.
    {"prompt_tokens_details.audio_tokens", Count::audio_in},
    {"prompt_tokens_details.image_tokens", Count::image_in},
    {"completion_tokens_details.reasoning_tokens", Count::reasoning},
    {"completion_tokens_details.audio_tokens", Count::audio_out},
    {"completion_tokens_details.image_tokens", Count::image_out},
    // OpenAI responses, images and transcriptions: ResponseUsage, ImagesResponse.Usage,
    // Transcription.Tokens; Realtime's details are spelled without the plural.
    {"input_tokens", Count::input},
    {"output_tokens", Count::completion},
    {"input_tokens_details.cached_tokens", Count::cached},
    {"input_tokens_details.cache_write_tokens", Count::written_inside},
    {"input_tokens_details.audio_tokens", Count::audio_in},
    {"input_tokens_details.image_tokens", Count::image_in},
    {"input_tokens_details.cached_tokens_details.audio_tokens", Count::cached_audio},
    {"input_tokens_details.cached_tokens_details.image_tokens", Count::cached_image},
    {"output_tokens_details.reasoning_tokens", Count::reasoning},
    {"output_tokens_details.audio_tokens", Count::audio_out},
    {"output_tokens_details.image_tokens", Count::image_out},
    {"input_token_details.cached_tokens", Count::cached},
    {"input_token_details.audio_tokens", Count::audio_in},
    {"input_token_details.image_tokens", Count::image_in},
    {"input_token_details.cached_tokens_details.audio_tokens", Count::cached_audio},
    {"input_token_details.cached_tokens_details.image_tokens", Count::cached_image},
    {"output_token_details.audio_tokens", Count::audio_out},
    // DeepSeek: https://api-docs.deepseek.com/guides/kv_cache. Moonshot, Mistral, Z.ai: at the top.
    {"prompt_cache_hit_tokens", Count::cached},
    {"cached_tokens", Count::cached},
    {"num_cached_tokens", Count::cached},
    {"reasoning_tokens", Count::reasoning},
    // Alibaba Model Studio, explicit cache: inside the prompt.
    {"prompt_tokens_details.cache_creation_input_tokens", Count::written_inside},
    {"prompt_tokens_details.cache_creation.ephemeral_5m_input_tokens", Count::written_5m},
    {"prompt_tokens_details.cache_creation.ephemeral_1h_input_tokens", Count::written_1h},
    // Anthropic messages: npm @anthropic-ai/sdk 0.90, Usage, MessageDeltaUsage (cumulative).
    {"cache_read_input_tokens", Count::cached_apart},
    {"cache_creation_input_tokens", Count::written},
    {"cache_creation.ephemeral_5m_input_tokens", Count::written_5m},
    {"cache_creation.ephemeral_1h_input_tokens", Count::written_1h},
    {"server_tool_use.web_search_requests", Count::web_searches},
    // Gemini: https://ai.google.dev/api/generate-content, UsageMetadata; snake case in its SDKs.
    {"promptTokenCount", Count::prompt},
    {"candidatesTokenCount", Count::completion},
    {"responseTokenCount", Count::completion},
    {"cachedContentTokenCount", Count::cached},
    {"thoughtsTokenCount", Count::thoughts},
    {"toolUsePromptTokenCount", Count::tool_prompt},
    {"prompt_token_count", Count::prompt},
    {"candidates_token_count", Count::completion},
    {"response_token_count", Count::completion},
    {"cached_content_token_count", Count::cached},
    {"thoughts_token_count", Count::thoughts},
    {"tool_use_prompt_token_count", Count::tool_prompt},
    // Bedrock: Converse's TokenUsage, and the metrics at the end of InvokeModel's streams.
    {"inputTokens", Count::input},
    {"outputTokens", Count::completion},
    {"cacheReadInputTokens", Count::cached_apart},
    {"cacheWriteInputTokens", Count::written},
    {"inputTokenCount", Count::input},
    {"outputTokenCount", Count::completion},
    {"cacheReadInputTokenCount", Count::cached_apart},
    {"cacheWriteInputTokenCount", Count::written},
    // Cohere v2: https://docs.cohere.com/reference/chat, `usage.billed_units` is what counts; in
    // embed and rerank the same stands in `meta`.
    {"billed_units.input_tokens", Count::input},
    {"billed_units.output_tokens", Count::completion},
    {"billed_units.search_units", Count::rerank_searches},
    // Ollama's own dialect: https://github.com/ollama/ollama/blob/main/docs/api.md.
    {"prompt_eval_count", Count::prompt},
    {"eval_count", Count::completion},
    // Perplexity: https://docs.perplexity.ai, Sonar deep research.
    {"citation_tokens", Count::citations},
    {"num_search_queries", Count::web_searches},
    // xAI: https://docs.x.ai/developers/tools, both kinds of search cost the same.
    {"server_side_tool_usage_details.web_search_calls", Count::web_searches},
    {"server_side_tool_usage_details.x_search_calls", Count::more_web_searches},
    // Mistral OCR (usage_info), Alibaba and others by the piece.
    {"pages_processed", Count::pages},
    {"image_count", Count::images},
    {"generated_images", Count::images},
    {"characters", Count::characters},
    {"input_characters", Count::characters},
};

}  // namespace claviger::provider
