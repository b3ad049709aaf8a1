/// What reading a request costs. The goal: 3 us for a chat of 1 KB.

#include <benchmark/benchmark.h>

#include "api/openai/openai_dialect.h"
#include "exchange/json_edit.h"

namespace {

using claviger::exchange::Operation;

std::string chat_body(std::size_t content_bytes, int messages) {
  std::string body =
      R"({"model":"openai/gpt-4o-mini","temperature":0.7,"max_tokens":256,"stream":true,)"
      R"("user":"user-1234","messages":[{"role":"system","content":"You are a helpful assistant."})";
  for (int i = 0; i < messages; ++i) {
    body += R"(,{"role":"user","content":"Line one\n)";
    body += std::string(content_bytes / static_cast<std::size_t>(messages), 'x') + "\"}";
  }
  return body + "]}";
}

void read_chat(benchmark::State& state, const std::string& body) {
  std::string padded = body;
  padded.append(64, '\0');
  const std::string_view view = std::string_view(padded).substr(0, body.size());
  const claviger::api::OpenAiDialect dialect;
  for (auto _ : state) {
    auto request = dialect.read(Operation::chat, view);
    if (!request) state.SkipWithError(request.error().message.c_str());
    benchmark::DoNotOptimize(request);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}

void ChatOf1KB(benchmark::State& state) {
  read_chat(state, chat_body(750, 4));
}
void ChatOf100KB(benchmark::State& state) {
  read_chat(state, chat_body(100'000, 40));
}

void CostOfAnAnswerOf750Bytes(benchmark::State& state) {
  const std::string body =
      R"({"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o-mini",)"
      R"("choices":[{"index":0,"message":{"role":"assistant","content":")" +
      std::string(450, 'y') +
      R"("},"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":10,)"
      R"("total_tokens":29,"prompt_tokens_details":{"cached_tokens":0}}})";
  const claviger::api::OpenAiDialect dialect;
  const claviger::exchange::Span usage = claviger::exchange::find_value(body, "usage");
  for (auto _ : state) {
    benchmark::DoNotOptimize(dialect.with_cost(body, usage, claviger::NanoUsd(4'213'000)));
  }
}

BENCHMARK(ChatOf1KB);
BENCHMARK(ChatOf100KB);
BENCHMARK(CostOfAnAnswerOf750Bytes);

}  // namespace
