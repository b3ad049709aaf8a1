/// Any bytes as an answer: nothing but a verdict may come of it. The first byte chooses status
/// and provider.

#include <array>
#include <cstdlib>
#include <string_view>

#include "fault/case_line.h"
#include "fault/engine.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace claviger::fault;
  if (size < 2) return 0;
  constexpr std::array<int, 8> kStatuses = {0, 200, 400, 401, 429, 500, 503, 999};
  constexpr std::array<std::string_view, 4> kProviders = {"", "openrouter", "bedrock", "ollama"};
  constexpr std::array<std::string_view, 3> kTypes = {"application/json", "text/event-stream",
                                                      "application/vnd.amazon.eventstream"};
  const std::string_view body(reinterpret_cast<const char*>(data) + 2, size - 2);
  const HeaderField fields[] = {{"content-type", kTypes[data[1] % 3]},
                                {"retry-after", body.substr(0, 40)},
                                {"date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                                {"x-ratelimit-reset", body.substr(0, 20)},
                                {"x-ratelimit-remaining", "0"}};
  const Observation seen{.provider = kProviders[data[0] >> 4 & 3],
                         .status = kStatuses[data[0] & 7],
                         .headers = fields,
                         .body = body};
  const Verdict verdict = judge(RuleBook::embedded(), seen);
  const bool is_sane = verdict.confidence >= 0 && verdict.confidence <= 1 &&
                       verdict.retry_after_s >= 0 && verdict.retry_after_s <= retry_after_s_max &&
                       verdict.suspects.size() <= suspects_max &&
                       verdict.evidence.size() <= evidence_max && !verdict.say.empty();
  if (!is_sane) std::abort();
  if (const auto one = Case::read(body)) to_json(verdict, one->id_json);
  return 0;
}
