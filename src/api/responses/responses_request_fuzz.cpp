/// Whatever the bytes are, a Responses request is refused with a sentence or read; then every place
/// is within the body, and reading it again into messages ends the same way.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "api/responses/conversation_reader.h"
#include "api/responses/request_reader.h"

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
  const auto request = api::responses::read_request(exchange::Operation::chat, body);
  if (!request) {
    if (request.error().message.empty()) std::abort();
    return 0;
  }
  check(request->places.model_value, body);
  check(request->places.output_max_value, body);
  if (request->places.model_value.empty() || request->extras.rounds_max < 1) std::abort();
  const auto conversation = api::responses::read_conversation(*request);
  if (!conversation && conversation.error().message.empty()) std::abort();
  return 0;
}
