/// Reads texts from standard input, each as its length in four little-endian bytes and itself,
/// and writes for each the tokens of the vocabulary that is named: their number and they
/// themselves, likewise in four bytes each. For "expansion" it writes instead the bound of each
/// text's bytes in NFC and in any normal form. For test/tokenizers.

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "tokenize/expansion.h"
#include "tokenize/tokenizer.h"

namespace {

bool read_text(std::string& text) {
  std::uint32_t length = 0;
  if (std::fread(&length, sizeof length, 1, stdin) != 1) return false;
  text.resize(length);
  return std::fread(text.data(), 1, length, stdin) == length;
}

int bound_expansion() {
  using namespace claviger::tokenize;
  for (std::string text; read_text(text);) {
    const std::uint32_t numbers[] = {
        2, static_cast<std::uint32_t>(normalised_bytes_max(text, NormalForm::nfc)),
        static_cast<std::uint32_t>(normalised_bytes_max(text, NormalForm::any))};
    std::fwrite(numbers, sizeof(std::uint32_t), 3, stdout);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace claviger::tokenize;
  const std::string_view name = argc == 2 ? argv[1] : "";
  if (name == "expansion") return bound_expansion();
  if (name != "o200k_base" && name != "cl100k_base") return 2;
  const Tokenizer& tokenizer =
      name == "o200k_base" ? Tokenizer::o200k_base() : Tokenizer::cl100k_base();
  Scratch scratch;
  std::vector<std::uint32_t> tokens;
  for (std::string text; read_text(text);) {
    tokens.clear();
    const TokenCount count = tokenizer.encode(text, scratch, tokens);
    const TokenCount counted = tokenizer.count(text, scratch);
    if (!count.is_exact || counted.tokens != count.tokens ||
        count.tokens != static_cast<std::int64_t>(tokens.size())) {
      return 1;
    }
    const auto number = static_cast<std::uint32_t>(tokens.size());
    std::fwrite(&number, sizeof number, 1, stdout);
    std::fwrite(tokens.data(), sizeof(std::uint32_t), tokens.size(), stdout);
  }
  return 0;
}
