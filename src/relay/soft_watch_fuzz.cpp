/// Whatever a caller asks and a provider says, in any pair of dialects: watching it does no harm,
/// and what is found are names that are known. The first byte chooses the pair; the first line is
/// the request, each other one an event and a whole answer.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "relay/soft_watch.h"

namespace {

using namespace claviger;

constexpr exchange::DialectId kDialects[] = {
    exchange::DialectId::openai, exchange::DialectId::anthropic, exchange::DialectId::gemini,
    exchange::DialectId::openai_responses};

bool is_known(std::string_view name) {
  for (std::size_t i = 0; i < fault::soft_failures; ++i) {
    if (name == fault::to_string(static_cast<fault::SoftFailure>(i))) return true;
  }
  return false;
}

std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string_view rest = text;
  exchange::Request request;
  request.dialect = kDialects[data[0] % 3];
  request.body = take_line(rest);
  const auto watch = relay::SoftWatch::of(
      request, {.dialect = kDialects[data[0] / 3 % 3], .is_own_endpoint = data[0] >= 128});
  std::string_view last;
  while (!rest.empty()) {
    last = take_line(rest);
    watch->event(last);
    watch->answer(last, {.text = {.begin = 0, .end = last.size() / 2}});
  }
  const std::string found = watch->found(last.substr(0, 64), data[0]);
  for (std::string_view names = found; !names.empty();) {
    const std::size_t comma = std::min(names.find(','), names.size());
    if (!is_known(names.substr(0, comma))) std::abort();
    names.remove_prefix(std::min(comma + 1, names.size()));
  }
  return 0;
}
