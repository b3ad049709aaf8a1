/// Whatever the bytes are, a chat request that can be read is read into messages, or refused
/// with a sentence.

#include "api/openai/conversation_reader.h"

#include <cstdint>
#include <cstdlib>
#include <string>

#include "api/openai/request_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace claviger;
  std::string body(reinterpret_cast<const char*>(data), size);
  body.reserve(size + 64);
  const auto request = api::openai::read_request(exchange::Operation::chat, body);
  if (!request) return 0;
  const auto conversation = api::openai::read_conversation(*request);
  if (!conversation && conversation.error().message.empty()) std::abort();
  return 0;
}
