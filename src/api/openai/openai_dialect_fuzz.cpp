/// Whatever a provider answers: a cost is added to a usage object or nothing is changed, and
/// what we say of an error is always JSON.

#include <boost/json.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "api/openai/openai_dialect.h"
#include "exchange/json_edit.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_json(std::string_view text) {
  boost::json::error_code error;
  boost::json::parse_options options;
  options.max_depth = 4096;
  boost::json::parse(text, error, {}, options);
  return !error;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const claviger::api::OpenAiDialect dialect;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const std::string costed = dialect.with_cost(body, claviger::exchange::find_value(body, "usage"),
                                               claviger::NanoUsd(4'213'000));
  if (costed != body) require(costed.find("0.004213") != std::string::npos);
  if (is_json(body)) require(is_json(costed));
  if (body.find_first_of("\r\n") == std::string_view::npos) {
    const std::string event = "data:" + std::string(body) + "\n\n";
    const std::string_view data = body.starts_with(' ') ? body.substr(1) : body;
    const std::string expected = dialect.with_cost(
        data, claviger::exchange::find_value(data, "usage"), claviger::NanoUsd(1));
    const std::string written = dialect.event_with_cost(event, claviger::NanoUsd(1));
    require(written == event.substr(0, event.size() - 2 - data.size()) + expected + "\n\n");
  }

  claviger::api::ErrorAnswer error;
  error.message = body;
  error.code = body.substr(0, size / 2);
  error.evidence = {std::string(body)};
  require(is_json(dialect.error_body(error)));
  const std::string annotated = dialect.annotated_error_body(body, error);
  if (is_json(body) || body.find("\"error\"") == std::string_view::npos)
    require(is_json(annotated));
  return 0;
}
