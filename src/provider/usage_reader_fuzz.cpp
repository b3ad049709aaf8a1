/// Whatever a provider sends: reading it never fails, counts are never negative or beyond belief,
/// and parts are within their whole. The first byte chooses the provider, whose habits differ.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "catalog/cost.h"
#include "exchange/json_tree.h"
#include "provider/usage_reader.h"

namespace {

using claviger::exchange::count_max;

void require(bool holds) {
  if (!holds) std::abort();
}

/// The short way says what the long one says, or nothing.
void compare_with_plain(std::string_view provider, std::string_view text) {
  using claviger::provider::UsageReader;
  UsageReader plain({.provider = provider, .model = "sonar"});
  if (!plain.read_plain_usage(text)) {
    require(plain.state() == claviger::provider::UsageState::absent);
    return;
  }
  claviger::exchange::JsonTree tree;
  require(tree.read(text));
  UsageReader whole({.provider = provider, .model = "sonar"});
  whole.read_usage(tree.root());
  require(plain.state() == whole.state());
  require(plain.usage() == whole.usage());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::string_view providers[] = {"openai", "anthropic", "google",     "amazon-bedrock",
                                            "cohere", "xai",       "perplexity", "groq"};
  if (size == 0) return 0;
  const std::string_view provider = providers[data[0] % std::size(providers)];
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  claviger::provider::UsageReader reader({.provider = provider, .model = "sonar"});
  compare_with_plain(provider, text);
  reader.read_recorded(text);
  reader.read_recorded(text);
  const auto state = reader.state();
  const claviger::exchange::Usage usage = reader.usage();
  if (state != claviger::provider::UsageState::sound) {
    require(usage == claviger::exchange::Usage{});
    return 0;
  }
  for (const std::int64_t count :
       {usage.input_tokens, usage.cached_input_tokens, usage.cache_write_tokens,
        usage.cache_write_1h_tokens, usage.output_tokens, usage.reasoning_tokens,
        usage.audio_input_tokens, usage.cached_audio_tokens, usage.audio_output_tokens,
        usage.image_input_tokens, usage.cached_image_tokens, usage.image_output_tokens}) {
    require(count >= 0 && count <= count_max);
  }
  require(usage.audio_input_tokens + usage.image_input_tokens <= usage.input_tokens);
  require(usage.cached_audio_tokens + usage.cached_image_tokens <= usage.cached_input_tokens);
  require(usage.reasoning_tokens + usage.audio_output_tokens + usage.image_output_tokens <=
          usage.output_tokens);
  return 0;
}
