/// Any bytes: splitting moves on, merging ends, and there are never more tokens than bytes.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tokenize/expansion.h"
#include "tokenize/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace claviger::tokenize;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static Scratch scratch;
  for (const Tokenizer* tokenizer : {&Tokenizer::o200k_base(), &Tokenizer::cl100k_base()}) {
    std::vector<std::uint32_t> tokens;
    const auto count = tokenizer->encode(text, scratch, tokens);
    if (count.tokens > static_cast<std::int64_t>(size)) std::abort();
    if (count.is_exact && count.tokens != static_cast<std::int64_t>(tokens.size())) std::abort();
    if (tokenizer->count_in_any_context(text, scratch).tokens < count.tokens) std::abort();
  }
  const std::int64_t plain = normalised_bytes_max(text, NormalForm::none);
  const std::int64_t any = normalised_bytes_max(text, NormalForm::any);
  if (any < plain || any > plain * 11) std::abort();
  return 0;
}
