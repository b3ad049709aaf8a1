/// The header of a model file is a stranger's bytes: whatever they are, reading ends, stays in
/// bounds and gives numbers that later sums can bear.

#include <cstdlib>

#include "local/gguf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace claviger::local;
  MemorySource source(std::as_bytes(std::span(data, size)));
  const auto header = read_gguf(source);
  if (!header) {
    if (header.error().message.empty()) std::abort();
    for (const char c : header.error().message) {
      if (c < ' ' || c > '~') std::abort();
    }
    return 0;
  }
  if (header->context_tokens < 0 || header->parameters < 0 || header->split_count < 1 ||
      header->cache_numbers_per_token < 0 || header->bytes_expected > size) {
    std::abort();
  }
  return 0;
}
