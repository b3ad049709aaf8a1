/// Bodies of control requests: whatever comes, the reader ends with an answer, and the texts
/// that people write in place of numbers are read or refused.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "console/fields.h"
#include "console/text_forms.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace claviger::console;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Fields fields(text);
  const std::string name = fields.text_if_any("name");
  const auto key = fields.secret_if_any("key");
  static_cast<void>(fields.usd("limit_usd"));
  static_cast<void>(fields.numbers_if_any("warn"));
  static_cast<void>(fields.texts_if_any("models"));
  const auto number = fields.number_if_any("rpm", 0, 100);
  if (number && (*number < 0 || *number > 100)) std::abort();
  static_cast<void>(fields.finish());

  static_cast<void>(parse_time(text));
  static_cast<void>(parse_span(text));
  static_cast<void>(fault_of_name(text));
  static_cast<void>(is_private_host(text));
  const auto scope = parse_scope(text);
  const bool needs_none = text == "workspace" || text == "each-owner" || text == "each-user";
  if (scope && scope->subject.empty() && !needs_none) std::abort();
  return 0;
}
