#include "api/error_json.h"

#include <fmt/format.h>

#include "exchange/json_builder.h"
#include "exchange/json_tree.h"
#include "exchange/json_writer.h"

namespace claviger::api {
namespace {

std::string_view to_string(Retry retry) {
  switch (retry) {
    case Retry::no:
      return "no";
    case Retry::yes:
      return "yes";
    case Retry::after:
      return "after";
  }
  return "no";
}

/// A confidence as JSON: at most three digits behind the point, within 0 and 1.
std::string confidence_json(double confidence) {
  if (!(confidence > 0)) return "0";
  if (confidence >= 1) return "1";
  return fmt::format("{:.3g}", confidence);
}

std::string_view words_in(exchange::JsonNode root, std::string_view body) {
  const std::string_view inside = root["error"]["message"].text();
  if (!inside.empty()) return inside;
  for (const std::string_view key : {"error", "message", "detail"}) {
    if (!root[key].text().empty()) return root[key].text();
  }
  return body;
}

}  // namespace

std::string verdict_json(const ErrorAnswer& error) {
  std::string out;
  exchange::JsonBuilder json(out);
  json.open_object().field("request_id", error.request.text());
  json.field("at_fault", error.at_fault).field("cause", error.code);
  json.raw_field("confidence", confidence_json(error.confidence));
  json.field("say", error.say).field("remedy", error.remedy);
  json.field("retry", to_string(error.retry));
  if (error.retry == Retry::after) json.integer_field("retry_after_s", error.retry_after_s);
  json.key("evidence").open_array();
  for (const std::string& item : error.evidence) json.string(item);
  json.close_array().close_object();
  return out;
}

std::string words_of(std::string_view provider_body) {
  exchange::JsonTree tree;
  tree.read(provider_body);
  const std::string_view words = words_in(tree.root(), provider_body);
  if (words.find_first_not_of(" \n\r\t") == std::string_view::npos) return {};
  return std::string(exchange::clipped(words, provider_words_bytes_max));
}

}  // namespace claviger::api
