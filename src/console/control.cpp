#include "console/control.h"

#include <fmt/format.h>

#include <algorithm>

#include "access/link_token.h"
#include "console/alerts.h"
#include "console/block_on.h"
#include "console/fields.h"
#include "console/routes.h"
#include "console/turns.h"
#include "net/http/target.h"

namespace claviger::console {
namespace {

/// More than any request has.
constexpr std::size_t kQueryParametersMax = 32;

/// `path` against `/owners/{owner}`: what stands for `{owner}`, or nothing where it is another
/// path. A part in braces matches one segment that is not empty.
std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
  std::vector<std::string> parts;
  for (;;) {
    const auto expected = net::http::next_segment(pattern);
    const auto present = net::http::next_segment(path);
    if (!expected && !present) return parts;
    if (!expected || !present) return std::nullopt;
    if (!expected->starts_with('{')) {
      if (*expected != *present) return std::nullopt;
      continue;
    }
    std::string part;
    if (present->empty() || !net::http::decode_segment(*present, part)) return std::nullopt;
    parts.push_back(std::move(part));
  }
}

Outcome<std::vector<std::pair<std::string, std::string>>> read_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view one = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    if (one.empty()) continue;
    const std::size_t equals = one.find('=');
    std::pair<std::string, std::string> parameter;
    const bool is_sound = net::http::decode_segment(one.substr(0, equals), parameter.first) &&
                          (equals == std::string_view::npos ||
                           net::http::decode_segment(one.substr(equals + 1), parameter.second));
    const bool is_repeated = std::ranges::any_of(
        parameters, [&](const auto& known) { return known.first == parameter.first; });
    if (!is_sound || is_repeated || parameters.size() == kQueryParametersMax) {
      return problem(400, "malformed_query",
                     "the query is malformed, repeats a parameter, or has too many",
                     "send each parameter once, percent-encoded");
    }
    parameters.push_back(std::move(parameter));
  }
  return parameters;
}

struct Found {
  const Route* route = nullptr;
  std::vector<std::string> parts;
};

Outcome<Found> find_route(std::string_view method, std::string_view path) {
  std::string allowed;
  for (const Route& route : routes()) {
    auto parts = match(route.path, path);
    if (!parts) continue;
    if (route.method == method) return Found{.route = &route, .parts = std::move(*parts)};
    allowed += allowed.empty() ? "" : ", ";
    allowed += route.method;
  }
  if (allowed.empty()) {
    return problem(404, "unknown_path", "the control API has nothing at this path",
                   "docs/reference/openapi.yaml lists what there is");
  }
  return problem(405, "wrong_method", fmt::format("this path does not take {}", method),
                 fmt::format("use {}", allowed));
}

}  // namespace

struct Control::State {
  explicit State(Parts parts) : registry(std::move(parts)) {}

  Task<Outcome<Reply>> answer(ControlRequest& request) {
    if (request.body.size() > kBodyBytesMax) {
      co_return problem(413, "request_too_large", "the body is larger than 1 MiB",
                        "send less in one request");
    }
    auto found = find_route(request.method, request.path);
    if (!found) co_return std::unexpected(found.error());
    auto query = read_query(request.query);
    if (!query) co_return std::unexpected(query.error());
    Call call{.request = request, .parts = std::move(found->parts), .query = std::move(*query)};
    if (found->route->order == Order::any) co_return co_await found->route->handler(registry, call);
    const auto turn = co_await turns.take();
    co_return co_await found->route->handler(registry, call);
  }

  Registry registry;
  Turns turns;
};

Control::Control(Parts parts) : state_(std::make_unique<State>(std::move(parts))) {}
Control::~Control() = default;

std::expected<void, std::string> Control::start() {
  if (auto loaded = state_->registry.load_hash_key(); !loaded) return loaded;
  const auto in_force = block_on(state_->registry.put_in_force(Touched::credentials));
  if (!in_force) {
    return std::unexpected(
        fmt::format("{}; {}", in_force.error().message, in_force.error().remedy));
  }
  return {};
}

Task<ControlAnswer> Control::handle(ControlRequest request) {
  Outcome<Reply> reply;
  try {
    reply = co_await state_->answer(request);
  } catch (const std::exception& error) {
    // Nothing throws on purpose; memory may still run out.
    reply = problem(500, "unexpected", "the request failed in a way that nobody expected",
                    fmt::format("please report it, with these words: {}", error.what()));
  }
  // It may hold a provider's key.
  wipe(request.body.data(), request.body.size());
  if (reply) co_return ControlAnswer{.status = reply->status, .body = std::move(reply->body)};
  co_return ControlAnswer{.status = reply.error().status, .body = to_json(reply.error())};
}

std::vector<Control::Event> Control::events_after(std::int64_t number) {
  std::vector<Event> events;
  const auto alerts = state_->registry.parts.alerts.store().list_after(number, kEventsAtOnceMax);
  if (!alerts) return events;
  for (const alert::Alert& alert : *alerts) {
    events.push_back(
        {.number = alert.number, .json = about_alert(state_->registry, alert).finish()});
  }
  return events;
}

std::int64_t Control::newest_event() {
  return state_->registry.parts.alerts.store().newest_number().value_or(0);
}

std::optional<std::string> Control::shared_page(std::string_view token) {
  const Registry& registry = state_->registry;
  const std::string hash = access::hash_of_link_token(token, registry.hash_key());
  if (hash.empty()) return std::nullopt;
  auto found = registry.parts.shares.find(hash, registry.parts.clock.wall_now());
  return found ? std::move(*found) : std::nullopt;
}

std::expected<std::string, access::AccessError> Control::recognise_admin(
    std::string_view presented) {
  const auto key = state_->registry.directory().authenticate_admin(presented);
  if (!key) return std::unexpected(key.error());
  return (*key)->name;
}

}  // namespace claviger::console
