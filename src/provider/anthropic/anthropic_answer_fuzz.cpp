/// Whatever a provider says: facts are within the text, and both translations read its answers
/// and events without harm. The first byte chooses the dialect; lines are the data of events.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "provider/adapter.h"

namespace {

using namespace claviger;

class Counter final : public exchange::EventSink {
 public:
  void on(const exchange::Event&) override { ++events; }
  std::size_t events = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto dialect =
      data[0] % 2 == 0 ? exchange::DialectId::anthropic : exchange::DialectId::openai;
  const provider::Adapter& adapter = *provider::adapter_for(dialect);
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto reading = adapter.read_answer(exchange::Operation::chat, text);
  if (reading.facts.usage.end > text.size()) std::abort();
  if (const auto answer = adapter.translation()->read_whole(text)) {
    Counter counter;
    exchange::replay(*answer, counter);
    if (counter.events < 2) std::abort();
  }
  const auto reader = adapter.translation()->event_reader();
  Counter counter;
  exchange::Usage usage;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const auto event = adapter.read_event(rest.substr(0, end), usage);
    if (event.usage_state == provider::UsageState::sound) usage = event.usage;
    if (usage.total_tokens() < 0) std::abort();
    reader->read({}, rest.substr(0, end), counter);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return 0;
}
