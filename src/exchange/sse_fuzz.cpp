/// Any bytes, cut anywhere, give the same events as when they arrive at once; and the data of
/// an event never lies outside it.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "exchange/sse.h"

namespace {

using claviger::exchange::event_data;
using claviger::exchange::event_length;
using claviger::exchange::event_type;

std::vector<std::size_t> lengths(std::string_view stream, std::size_t step) {
  std::vector<std::size_t> found;
  std::size_t start = 0;
  std::size_t searched = 0;
  for (std::size_t have = 0; have < stream.size();) {
    have = std::min(stream.size(), have + step);
    while (const std::size_t length = event_length(stream.substr(start, have - start), searched)) {
      found.push_back(length);
      start += length;
      searched = 0;
    }
  }
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = 1 + data[0] % 7;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto at_once = lengths(stream, stream.size() + 1);
  if (lengths(stream, step) != at_once) std::abort();
  std::size_t start = 0;
  std::string joined;
  for (const std::size_t length : at_once) {
    const std::string_view event = stream.substr(start, length);
    joined.clear();
    if (event_data(event, joined).size() > event.size()) std::abort();
    if (event_type(event).size() > event.size()) std::abort();
    start += length;
  }
  return 0;
}
