#include "api/cost_edit.h"

#include <fmt/format.h>

#include <algorithm>

#include "exchange/json_edit.h"
#include "exchange/sse.h"

namespace claviger::api {
namespace {

/// Nothing where `usage` is no object.
std::string cost_added(std::string_view body, exchange::Span usage, NanoUsd cost) {
  if (usage.empty() || body[usage.begin] != '{') return {};
  return exchange::with_field_at(body, usage, "cost", to_decimal(cost));
}

/// The value at a path of keys that are parted by dots.
exchange::Span find_path(std::string_view json, std::string_view path) {
  exchange::Span found = {.begin = 0, .end = json.size()};
  for (;;) {
    const std::size_t dot = std::min(path.find('.'), path.size());
    const exchange::Span inner =
        exchange::find_value(exchange::at(json, found), path.substr(0, dot));
    if (inner.empty()) return {};
    found = {.begin = found.begin + inner.begin, .end = found.begin + inner.end};
    if (dot == path.size()) return found;
    path.remove_prefix(dot + 1);
  }
}

}  // namespace

std::string body_with_cost(std::string_view body, exchange::Span usage, NanoUsd cost) {
  std::string edited = cost_added(body, usage, cost);
  return edited.empty() ? std::string(body) : edited;
}

std::string sse_event_with_cost(std::string_view event, std::string_view usage, NanoUsd cost) {
  std::string joined;
  const std::string_view data = exchange::event_data(event, joined);
  std::string edited = cost_added(data, find_path(data, usage), cost);
  if (edited.empty()) return std::string(event);
  if (joined.empty()) {
    const auto begin = static_cast<std::size_t>(data.data() - event.data());
    return exchange::spliced(event, {.begin = begin, .end = begin + data.size()}, edited);
  }
  // Several data lines: written anew, since the edit may stand in any of them.
  std::string out;
  const std::string_view type = exchange::event_type(event);
  if (!type.empty()) out = fmt::format("event: {}\n", type);
  out += "data: ";
  for (const char c : edited) {
    out += c;
    if (c == '\n') out += "data: ";
  }
  return out + "\n\n";
}

}  // namespace claviger::api
