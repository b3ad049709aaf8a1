/// Decodes any bytes as a chunked body: whole, and byte by byte; both must agree, views must
/// stay inside their input, and the payload must survive being encoded and decoded again.

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "net/http/chunked.h"

namespace {

using namespace claviger::net::http;

void require(bool promise) {
  if (!promise) std::abort();
}

struct Outcome {
  std::string payload;
  std::size_t consumed = 0;
  bool done = false;
  std::optional<ChunkedError> error;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome decode(std::string_view bytes, std::size_t piece_bytes) {
  ChunkedDecoder decoder;
  Outcome outcome;
  while (!bytes.empty() && !decoder.is_done()) {
    const std::size_t size = std::min(piece_bytes, bytes.size());
    const auto piece = std::make_unique<char[]>(size);
    bytes.copy(piece.get(), size);
    std::string_view rest(piece.get(), size);
    while (!rest.empty() && !decoder.is_done()) {
      const auto step = decoder.next(rest);
      if (!step) {
        outcome.error = step.error();
        // How much payload was seen before the error depends on nothing but the bytes.
        return outcome;
      }
      require(step->consumed > 0 && step->consumed <= rest.size());
      if (!step->payload.empty()) {
        require(step->payload.data() >= rest.data());
        require(step->payload.data() + step->payload.size() == rest.data() + step->consumed);
      }
      outcome.payload += step->payload;
      outcome.consumed += step->consumed;
      rest.remove_prefix(step->consumed);
    }
    bytes.remove_prefix(size);
  }
  outcome.done = decoder.is_done();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Outcome whole = decode(bytes, SIZE_MAX);
  Outcome bytewise = decode(bytes, 1);
  Outcome by_sevens = decode(bytes, 7);
  // Steps before an error are of different lengths, what they give out is not.
  if (whole.error) {
    bytewise.consumed = by_sevens.consumed = whole.consumed;
  }
  require(bytewise == whole);
  require(by_sevens == whole);

  if (whole.done && !whole.payload.empty()) {
    std::string encoded(ChunkHead(whole.payload.size()).text());
    encoded.append(whole.payload).append(kChunkEnd).append(kLastChunk);
    const Outcome again = decode(encoded, SIZE_MAX);
    require(again.done && again.payload == whole.payload && again.consumed == encoded.size());
  }
  return 0;
}
