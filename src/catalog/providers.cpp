#include "base/name_index.h"
#include "catalog/price_book.h"

namespace claviger::catalog {
namespace {

struct Alias {
  std::string_view alias;
  std::string_view provider;
};

/// What people and other catalogs call a provider. The canonical names are those of
/// data/providers.toml and data/prices.jsonl.
constexpr Alias aliases[] = {
    {"alibaba-cloud", "alibaba"},
    {"aliyun", "alibaba"},
    {"amazon", "amazon-bedrock"},
    {"aws", "amazon-bedrock"},
    {"aws-bedrock", "amazon-bedrock"},
    {"aws_bedrock", "amazon-bedrock"},
    {"azure-ai-foundry", "azure"},
    {"azure-openai", "azure"},
    {"azure_openai", "azure"},
    {"azureopenai", "azure"},
    {"bedrock", "amazon-bedrock"},
    {"bedrock-converse", "amazon-bedrock"},
    {"bedrock_converse", "amazon-bedrock"},
    {"bigmodel", "zhipuai"},
    {"cerebras-ai", "cerebras"},
    {"claude", "anthropic"},
    {"claude-ai", "anthropic"},
    {"cohere-ai", "cohere"},
    {"cohere_chat", "cohere"},
    {"dashscope", "alibaba"},
    {"deep-infra", "deepinfra"},
    {"deepseek-ai", "deepseek"},
    {"eleven-labs", "elevenlabs"},
    {"fireworks-ai", "fireworks"},
    {"fireworks_ai", "fireworks"},
    {"fireworksai", "fireworks"},
    {"gcp", "google-vertex"},
    {"gemini", "google"},
    {"gemini-api", "google"},
    {"generativelanguage", "google"},
    {"google-ai", "google"},
    {"google-ai-studio", "google"},
    {"google-gemini", "google"},
    {"google-genai", "google"},
    {"google-vertex-ai", "google-vertex"},
    {"google-vertex-anthropic", "google-vertex"},
    {"google_genai", "google"},
    {"googleai", "google"},
    {"grok", "xai"},
    {"groqcloud", "groq"},
    {"hf", "huggingface"},
    {"hugging-face", "huggingface"},
    {"hugging_face", "huggingface"},
    {"jina-ai", "jina"},
    {"jina_ai", "jina"},
    {"kimi", "moonshotai"},
    {"lambda-ai", "lambda"},
    {"lambda_ai", "lambda"},
    {"llama.cpp", "local"},
    {"lm-studio", "lmstudio"},
    {"minimax-ai", "minimax"},
    {"mistral-ai", "mistral"},
    {"mistral_ai", "mistral"},
    {"mistralai", "mistral"},
    {"model-studio", "alibaba"},
    {"moonshot", "moonshotai"},
    {"moonshot-ai", "moonshotai"},
    {"moonshotai-ai", "moonshotai"},
    {"nim", "nvidia"},
    {"novita-ai", "novita"},
    {"nvidia_nim", "nvidia"},
    {"open-ai", "openai"},
    {"open-router", "openrouter"},
    {"palm", "google"},
    {"perplexity-ai", "perplexity"},
    {"pplx", "perplexity"},
    {"qwen", "alibaba"},
    {"samba-nova", "sambanova"},
    {"together-ai", "together"},
    {"together.ai", "together"},
    {"together_ai", "together"},
    {"togetherai", "together"},
    {"vertex", "google-vertex"},
    {"vertex-ai", "google-vertex"},
    {"vertex_ai", "google-vertex"},
    {"vertexai", "google-vertex"},
    {"voyage", "voyageai"},
    {"voyage-ai", "voyageai"},
    {"x-ai", "xai"},
    {"x.ai", "xai"},
    {"x_ai", "xai"},
    {"z-ai", "z.ai"},
    {"z_ai", "z.ai"},
    {"zai", "z.ai"},
    {"zhipu", "zhipuai"},
};

constexpr auto index = index_by<&Alias::alias>(aliases);

}  // namespace

std::string_view canonical_provider(std::string_view provider) {
  const std::size_t row = index.find(provider);
  return row == index.none ? provider : aliases[row].provider;
}

}  // namespace claviger::catalog
