/// What a kilobyte costs: prose, code, and the worst that a stranger can send.

#include <benchmark/benchmark.h>

#include <string>

#include "tokenize/expansion.h"
#include "tokenize/tokenizer.h"

namespace claviger::tokenize {
namespace {

constexpr std::size_t kText = 64 * 1024;

std::string repeated(std::string_view piece) {
  std::string text;
  while (text.size() < kText) text += piece;
  return text;
}

void count(benchmark::State& state, const std::string& text) {
  Scratch scratch;
  for (auto _ : state) {
    benchmark::DoNotOptimize(Tokenizer::o200k_base().count(text, scratch));
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}

void prose(benchmark::State& state) {
  count(state,
        repeated("It is a truth universally acknowledged, that a single man in possession of "
                 "a good fortune, must be in want of a wife. "));
}
BENCHMARK(prose);

void code(benchmark::State& state) {
  count(state,
        repeated("  for (std::size_t i = 0; i < values_.size(); ++i) total += values_[i];\n"));
}
BENCHMARK(code);

void chinese(benchmark::State& state) {
  count(state, repeated("我能吞下玻璃而不伤身体。今天是星期三。"));
}
BENCHMARK(chinese);

void one_letter(benchmark::State& state) {
  count(state, std::string(kText, 'a'));
}
BENCHMARK(one_letter);

void random_letters(benchmark::State& state) {
  std::string text(kText, 'a');
  std::uint32_t number = 1;
  for (char& c : text) c = static_cast<char>('a' + (number = number * 1664525 + 1013904223) % 26);
  count(state, text);
}
BENCHMARK(random_letters);

void bytes_in_any_form(benchmark::State& state) {
  const std::string text =
      repeated("It is a truth universally acknowledged, that a single man in ");
  for (auto _ : state) benchmark::DoNotOptimize(normalised_bytes_max(text, NormalForm::any));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}
BENCHMARK(bytes_in_any_form);

}  // namespace
}  // namespace claviger::tokenize
