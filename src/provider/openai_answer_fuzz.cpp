/// Whatever a provider answers: reading never fails, usage is sound only where it can be, and
/// the search that spares parsing never overlooks what parsing would have found.

#include <boost/json.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "exchange/json_edit.h"
#include "provider/openai_adapter.h"
#include "provider/openai_answer.h"

namespace {

using claviger::exchange::Operation;
using claviger::provider::AnswerReading;
using claviger::provider::UsageState;
namespace openai = claviger::provider::openai;

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const AnswerReading& reading) {
  const auto& facts = reading.facts;
  require(facts.error_message.size() <= claviger::provider::error_message_bytes_max);
  require(facts.error_code.size() <= claviger::provider::error_code_bytes_max);
  require(facts.finish_reason.size() <= claviger::provider::finish_reason_bytes_max);
  if (reading.usage_state != UsageState::sound) return;
  const auto& usage = reading.usage;
  for (const std::int64_t tokens :
       {usage.input_tokens, usage.cached_input_tokens, usage.cache_write_tokens,
        usage.output_tokens, usage.reasoning_tokens, usage.audio_input_tokens}) {
    require(tokens >= 0 && tokens <= claviger::exchange::count_max);
  }
  require(usage.audio_input_tokens <= usage.input_tokens);
  require(usage.total_input_tokens() <= claviger::exchange::count_max);
  if (usage.stated_cost) require(!usage.stated_cost->is_negative());
}

/// A second reader's opinion, for plain whole JSON: is there usage, an ending, an error?
bool says_something(const boost::json::object& object) {
  const auto* usage = object.if_contains("usage");
  if (usage != nullptr && usage->is_object()) return true;
  const auto* error = object.if_contains("error");
  if (error != nullptr && error->is_object()) return true;
  const auto* choices = object.if_contains("choices");
  if (choices == nullptr || !choices->is_array()) return false;
  for (const auto& choice : choices->get_array()) {
    if (!choice.is_object()) continue;
    const auto* reason = choice.get_object().if_contains("finish_reason");
    if (reason != nullptr && reason->is_string()) return true;
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const AnswerReading answer = openai::read_answer(Operation::chat, text);
  check(answer);
  if (const auto place = answer.facts.usage; !place.empty()) {
    const auto found = claviger::exchange::find_value(text, "usage");
    require(place.begin == found.begin && place.end == found.end);
  }
  check(openai::read_event(text));
  boost::json::error_code error;
  const auto value = boost::json::parse(text, error);
  const bool plain = text.find('\\') == std::string_view::npos;
  if (!error && plain && value.is_object() && says_something(value.get_object())) {
    require(openai::may_matter(text));
  }
  const auto cost = openai::parse_stated_cost(text);
  if (cost) require(!cost->is_negative());
  return 0;
}
