/// Whatever the bytes are, a Messages request is refused with a sentence or read; then every
/// place is within the body, and reading it again into messages ends the same way.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "api/anthropic/conversation_reader.h"
#include "api/anthropic/request_reader.h"

namespace {

using claviger::exchange::Span;

void check(Span place, const std::string& body) {
  if (place.begin > place.end || place.end > body.size()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace claviger;
  std::string body(reinterpret_cast<const char*>(data), size);
  body.reserve(size + 64);
  for (const auto operation : {exchange::Operation::chat, exchange::Operation::count_tokens}) {
    const auto request = api::anthropic::read_request(operation, body);
    if (!request) {
      if (request.error().message.empty()) std::abort();
      continue;
    }
    check(request->places.model_value, body);
    check(request->places.output_max_legacy_value, body);
    check(request->places.thinking_budget_value, body);
    const auto conversation = api::anthropic::read_conversation(*request);
    if (!conversation && conversation.error().message.empty()) std::abort();
  }
  return 0;
}
