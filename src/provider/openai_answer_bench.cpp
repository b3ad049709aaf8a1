/// What reading answers costs. The goal: 200 ns for an event of 250 bytes that carries content.

#include <benchmark/benchmark.h>

#include <string>

#include "provider/openai_adapter.h"

namespace {

using claviger::provider::OpenAiAdapter;

constexpr std::string_view content_event =
    R"({"id":"chatcmpl-AbCdEfGhIjKlMnOpQrStUvWxYz012","object":"chat.completion.chunk",)"
    R"("created":1741569952,"model":"gpt-4o-mini-2024-07-18","system_fingerprint":"fp_44709d6fcb",)"
    R"("choices":[{"index":0,"delta":{"content":" hello"},"logprobs":null,"finish_reason":null}],)"
    R"("usage":null})";
constexpr std::string_view usage_event =
    R"({"id":"chatcmpl-AbCdEfGhIjKlMnOpQrStUvWxYz012","object":"chat.completion.chunk",)"
    R"("created":1741569952,"model":"gpt-4o-mini-2024-07-18","choices":[],"usage":{)"
    R"("prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":)"
    R"({"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}})";

void ContentEvent(benchmark::State& state) {
  const OpenAiAdapter adapter;
  for (auto _ : state) benchmark::DoNotOptimize(adapter.read_event(content_event));
  state.SetLabel(std::to_string(content_event.size()) + " bytes");
}

void UsageEvent(benchmark::State& state) {
  const OpenAiAdapter adapter;
  for (auto _ : state) benchmark::DoNotOptimize(adapter.read_event(usage_event));
}

void AnswerOf750Bytes(benchmark::State& state) {
  const std::string body =
      R"({"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o-mini",)"
      R"("choices":[{"index":0,"message":{"role":"assistant","content":")" +
      std::string(450, 'y') +
      R"("},"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":10,)"
      R"("total_tokens":29,"prompt_tokens_details":{"cached_tokens":0}}})";
  const OpenAiAdapter adapter;
  for (auto _ : state) {
    benchmark::DoNotOptimize(adapter.read_answer(claviger::exchange::Operation::chat, body));
  }
}

void WriteBodyOf1KB(benchmark::State& state) {
  const std::string body =
      R"({"model":"openai/gpt-4o-mini","stream":true,"messages":[{"content":")" +
      std::string(1000, 'x') + R"("}]})";
  claviger::exchange::Request request;
  request.body = body;
  request.delivery = claviger::exchange::Delivery::streamed;
  request.places.after_open_brace = 1;
  request.places.model_value = {.begin = 9, .end = 29};
  claviger::provider::Profile profile;
  profile.output_max_field = "max_completion_tokens";
  const OpenAiAdapter adapter;
  std::string out;
  for (auto _ : state) {
    out.clear();
    adapter.write_body(profile, request, {.model = "gpt-4o-mini", .output_tokens_max = 256}, out);
    benchmark::DoNotOptimize(out);
  }
}

BENCHMARK(ContentEvent);
BENCHMARK(UsageEvent);
BENCHMARK(AnswerOf750Bytes);
BENCHMARK(WriteBodyOf1KB);

}  // namespace
