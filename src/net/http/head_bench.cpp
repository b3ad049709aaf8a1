/// What reading a head costs: the heads of an official SDK's request and of a provider's
/// answer, as they are on the wire (2026-07), and the smallest one.

#include <benchmark/benchmark.h>

#include <string>
#include <string_view>

#include "net/http/chunked.h"
#include "net/http/head.h"
#include "net/http/target.h"
#include "net/http/write.h"

namespace claviger::net::http {
namespace {

constexpr std::string_view kSmallest = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

constexpr std::string_view kTwelveHeaders =
    "POST /v1/chat/completions HTTP/1.1\r\n"
    "Host: 127.0.0.1:8484\r\n"
    "Accept-Encoding: gzip, deflate\r\n"
    "Connection: keep-alive\r\n"
    "Accept: application/json\r\n"
    "Content-Type: application/json\r\n"
    "User-Agent: OpenAI/Python 1.58.1\r\n"
    "X-Stainless-Lang: python\r\n"
    "X-Stainless-Package-Version: 1.58.1\r\n"
    "X-Stainless-OS: Linux\r\n"
    "Authorization: Bearer clv_0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdef\r\n"
    "X-Stainless-Retry-Count: 0\r\n"
    "Content-Length: 312\r\n"
    "\r\n";

constexpr std::string_view kProviderAnswer =
    "HTTP/1.1 200 OK\r\n"
    "Date: Tue, 07 Jul 2026 10:15:00 GMT\r\n"
    "Content-Type: application/json\r\n"
    "Transfer-Encoding: chunked\r\n"
    "Connection: keep-alive\r\n"
    "access-control-expose-headers: X-Request-ID\r\n"
    "openai-organization: user-abcdefghijklmnopqrstuvwx\r\n"
    "openai-processing-ms: 431\r\n"
    "openai-version: 2020-10-01\r\n"
    "x-envoy-upstream-service-time: 450\r\n"
    "x-ratelimit-limit-requests: 10000\r\n"
    "x-ratelimit-limit-tokens: 200000\r\n"
    "x-ratelimit-remaining-requests: 9999\r\n"
    "x-ratelimit-remaining-tokens: 199973\r\n"
    "x-ratelimit-reset-requests: 8.64s\r\n"
    "x-ratelimit-reset-tokens: 8ms\r\n"
    "x-request-id: req_0123456789abcdef0123456789abcdef\r\n"
    "strict-transport-security: max-age=31536000; includeSubDomains; preload\r\n"
    "cf-cache-status: DYNAMIC\r\n"
    "Set-Cookie: __cf_bm=0123456789abcdefghijklmnopqrstuvwxyz.0123456789-1.0.1.1-abcdefgh; "
    "path=/; expires=Tue, 07-Jul-26 10:45:00 GMT; domain=.api.openai.com; HttpOnly; Secure; "
    "SameSite=None\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Server: cloudflare\r\n"
    "CF-RAY: 0123456789abcdef-FRA\r\n"
    "alt-svc: h3=\":443\"; ma=86400\r\n"
    "\r\n";

void read_request(benchmark::State& state, std::string_view bytes) {
  RequestHead head;
  for (auto _ : state) {
    benchmark::DoNotOptimize(bytes);
    std::size_t searched = 0;
    const auto read = parse_request_head(bytes, head, searched);
    if (!read) state.SkipWithError("refused");
    benchmark::DoNotOptimize(head);
  }
}
BENCHMARK_CAPTURE(read_request, smallest, kSmallest);
BENCHMARK_CAPTURE(read_request, twelve_headers, kTwelveHeaders);

void read_response(benchmark::State& state, std::string_view bytes) {
  ResponseHead head;
  for (auto _ : state) {
    benchmark::DoNotOptimize(bytes);
    std::size_t searched = 0;
    const auto read = parse_response_head(bytes, "POST", head, searched);
    if (!read) state.SkipWithError("refused");
    benchmark::DoNotOptimize(head);
  }
}
BENCHMARK_CAPTURE(read_response, provider_24_headers, kProviderAnswer);

void find_header(benchmark::State& state) {
  RequestHead head;
  std::size_t searched = 0;
  if (!parse_request_head(kTwelveHeaders, head, searched)) state.SkipWithError("refused");
  for (auto _ : state) benchmark::DoNotOptimize(head.find("authorization"));
}
BENCHMARK(find_header);

void split_chat_target(benchmark::State& state) {
  std::string_view target = "/v1/chat/completions";
  for (auto _ : state) {
    benchmark::DoNotOptimize(target);
    benchmark::DoNotOptimize(split_target(target));
  }
}
BENCHMARK(split_chat_target);

void read_chunked_event(benchmark::State& state) {
  const std::string event(250, 'x');
  const std::string chunk = std::string(ChunkHead(event.size()).text()) + event + "\r\n";
  ChunkedDecoder decoder;
  for (auto _ : state) {
    std::string_view rest = chunk;
    while (!rest.empty()) {
      const auto step = decoder.next(rest);
      if (!step) {
        state.SkipWithError("refused");
        break;
      }
      rest.remove_prefix(step->consumed);
    }
  }
}
BENCHMARK(read_chunked_event);

void write_answer_head(benchmark::State& state) {
  std::string out;
  DateLine date;
  const WallTime now = from_unix_micros(1'783'000'000'000'000);
  for (auto _ : state) {
    out.clear();
    HeadWriter head(out);
    head.response(200);
    head.ready_lines(date.at(now));
    head.header("content-type", "application/json");
    head.header("content-length", std::uint64_t{750});
    head.header("x-claviger-request-id", "req_01ARZ3NDEKTSV4RRFFQ69G5FAV");
    head.header("x-claviger-model", "openai/gpt-4o-mini");
    head.header("x-claviger-cost", "0.000123");
    benchmark::DoNotOptimize(head.finish());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(write_answer_head);

}  // namespace
}  // namespace claviger::net::http
