#include "server/front_door.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <charconv>

#include "console/support_page.h"
#include "exchange/json_writer.h"
#include "net/http/target.h"

namespace claviger::server {
namespace {

constexpr std::string_view kControlPrefix = "/api/v1";
constexpr std::string_view kEventsPath = "/api/v1/events";
/// Something is said so often, so that proxies and callers see that we are still there.
constexpr Duration kHeartbeat = std::chrono::seconds(15);
/// Then the caller has to come again, with a key that is still good.
constexpr Duration kEventStreamTimeMax = std::chrono::hours(1);
constexpr std::size_t kControlBodyBytesMax = std::size_t{1} << 20;

std::string_view presented_key(const net::http::RequestHead& head) {
  constexpr std::string_view kBearer = "Bearer ";
  const std::string_view authorization = head.value_of("authorization");
  return authorization.starts_with(kBearer) ? authorization.substr(kBearer.size())
                                            : std::string_view();
}

std::optional<std::int64_t> event_number(std::string_view text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end || number < 0) return std::nullopt;
  return number;
}

bool is_local_name(std::string_view host) {
  if (host.starts_with("[::1]")) return true;
  const std::string_view name = host.substr(0, host.find(':'));
  return name == "localhost" || name == "127.0.0.1";
}

}  // namespace

void FrontDoor::admit(net::Stream stream) {
  // Beyond the bound the honest answer is none: one would need the memory that is short.
  if (open_connections() >= parts_.connections_max || is_draining_) return;
  spawn(serve(std::move(stream)));
}

Task<void> FrontDoor::serve(net::Stream stream) {
  open_.fetch_add(1, std::memory_order_relaxed);
  parts_.metrics.change_open_connections(1);
  try {
    bool is_secure = true;
    if (parts_.tls != nullptr) {
      const int fd = stream.socket().fd();
      is_secure = (co_await stream.start_tls(parts_.tls->accept_from(fd),
                                             parts_.reactor.after(parts_.limits.head_time_max)))
                      .has_value();
    }
    if (is_secure && !is_draining_) {
      net::ServerConnection connection(std::move(stream), parts_.limits, date_line_,
                                       &parts_.bodies);
      connections_.insert(&connection);
      struct Forget {
        std::unordered_set<net::ServerConnection*>& connections;
        net::ServerConnection* connection;
        ~Forget() { connections.erase(connection); }
      } const forget{connections_, &connection};
      co_await serve_requests(connection);
    }
  } catch (const std::exception& error) {
    // Nothing on a request's way throws on purpose; memory may still run out.
    spdlog::error("a connection was closed because of an unexpected error: {}", error.what());
  }
  parts_.metrics.change_open_connections(-1);
  open_.fetch_sub(1, std::memory_order_relaxed);
}

Task<void> FrontDoor::serve_requests(net::ServerConnection& connection) {
  std::uint64_t answered = 0;
  while (connection.keeps_open()) {
    if (const auto read = co_await connection.read_head(); !read) {
      if (read.error().status != 0) {
        co_await answer_problem(connection, read.error().status, read.error().code,
                                read.error().message);
        co_await connection.linger();
      }
      co_return;
    }
    if (is_draining_) connection.close_after_answer();
    co_await answer_one(connection);
    connection.release_request();
    // Whoever sends faster than we answer must not keep this thread from everybody else.
    if (++answered % 32 == 0) co_await parts_.reactor.yield();
  }
  co_await connection.linger();
  connection.stream().close();
}

Task<void> FrontDoor::answer_one(net::ServerConnection& connection) {
  const auto target = net::http::split_target(connection.head().target);
  if (!target) {
    co_return co_await answer_problem(connection, 400, "malformed_path",
                                      net::http::explain(target.error()));
  }
  if (parts_.relay != nullptr && relay::Relay::serves(target->path)) {
    co_return co_await parts_.relay->serve(connection, *target);
  }
  co_await answer_own(connection, *target);
}

Task<void> FrontDoor::answer_own(net::ServerConnection& connection,
                                 const net::http::Target& target) {
  const std::string_view method = connection.head().method;
  const bool is_get = method == "GET" || method == "HEAD";
  if (target.path == "/healthz" && is_get) {
    co_return co_await answer_json(connection, 200, R"({"status":"ok"})");
  }
  if (target.path == "/readyz" && is_get) {
    const bool ready = parts_.desk.is_ready() && !is_draining_;
    co_return co_await answer_json(connection, ready ? 200 : 503,
                                   ready ? R"({"status":"ready"})" : R"({"status":"not ready"})");
  }
  const bool is_shared = parts_.who == Who::callers && target.path.starts_with(console::kSharePath);
  if (is_shared && is_get) co_return co_await answer_shared(connection, target.path);
  const bool is_metrics = target.path == "/metrics" && is_get;
  const bool is_control =
      target.path.starts_with(kControlPrefix) &&
      (target.path.size() == kControlPrefix.size() || target.path[kControlPrefix.size()] == '/');
  if (!is_metrics && !is_control) {
    co_return co_await answer_problem(connection, 404, "unknown_path",
                                      "there is nothing at this address; callers use /v1/…, "
                                      "operators /api/v1/…, /metrics, /healthz and /readyz");
  }
  std::string who = "local operator";
  if (parts_.who == Who::callers) {
    if (is_from_elsewhere(connection)) {
      co_return co_await answer_problem(
          connection, 403, "cross_origin",
          "requests from web pages of other origins are not answered here");
    }
    auto admin = co_await parts_.desk.recognise(Secret::copy_of(presented_key(connection.head())));
    if (!admin) {
      co_return co_await answer_problem(connection, 401, "admin_key_required",
                                        "this address needs an admin key in Authorization: "
                                        "Bearer clva_…; make one with: claviger admin-key create");
    }
    who = std::move(*admin);
  }
  if (is_metrics) co_return co_await answer_metrics(connection);
  const bool follows =
      target.path == kEventsPath && method == "GET" &&
      connection.head().value_of("accept").find("text/event-stream") != std::string_view::npos;
  if (follows) co_return co_await answer_events(connection, target);
  co_await answer_control(connection, target, std::move(who));
}

Task<void> FrontDoor::answer_control(net::ServerConnection& connection,
                                     const net::http::Target& target, std::string who) {
  const net::http::RequestHead& head = connection.head();
  if (head.body == net::http::Body::length && head.content_length > kControlBodyBytesMax) {
    co_return co_await answer_problem(connection, 413, "request_too_large",
                                      "a request to the control API has at most 1 MiB");
  }
  if (const auto read = co_await connection.read_body(); !read) {
    if (read.error().status == 0) co_return connection.close_after_answer();
    co_return co_await answer_problem(connection, read.error().status, read.error().code,
                                      read.error().message);
  }
  console::ControlAnswer answer =
      co_await parts_.desk.handle({.method = std::string(head.method),
                                   .path = std::string(target.path.substr(kControlPrefix.size())),
                                   .query = std::string(target.query),
                                   .body = std::string(connection.body()),
                                   .who = std::move(who)});
  co_await answer_json(connection, answer.status, answer.body);
  wipe(answer.body.data(), answer.body.size());  // It may have shown a new key, once.
}

Task<void> FrontDoor::answer_events(net::ServerConnection& connection,
                                    const net::http::Target& target) {
  const std::string_view named = connection.head().value_of("last-event-id");
  std::optional<std::int64_t> last;
  if (!named.empty() || !target.query.empty()) {
    constexpr std::string_view kAfter = "after=";
    const std::string_view text = !named.empty() ? named
                                  : target.query.starts_with(kAfter)
                                      ? target.query.substr(kAfter.size())
                                      : std::string_view("?");
    last = event_number(text);
    if (!last) {
      co_return co_await answer_problem(connection, 400, "bad_value",
                                        "Last-Event-ID, or ?after=, must be the number of an "
                                        "event; leave it out to follow from now on");
    }
  }
  const auto subscription = parts_.events.subscribe(parts_.reactor);
  if (subscription == nullptr) {
    co_return co_await answer_problem(connection, 503, "too_many_subscribers",
                                      "too many follow the events already; try again later");
  }
  connection.release_request();
  if (!last) last = (co_await parts_.desk.events_after(std::nullopt)).newest;

  struct Listening {
    FrontDoor& door;
    net::ServerConnection& connection;
    EventFeed::Subscription* subscription;
    Listening(FrontDoor& door, net::ServerConnection& connection,
              EventFeed::Subscription* subscription)
        : door(door), connection(connection), subscription(subscription) {
      door.streams_.insert(subscription);
      connection.socket().set_hangup_listener(subscription);
    }
    ~Listening() {
      connection.socket().set_hangup_listener(nullptr);
      door.streams_.erase(subscription);
    }
  } const listening{*this, connection, subscription.get()};

  connection.close_after_answer();
  net::http::HeadWriter head = connection.answer(200);
  head.header("cache-control", "no-store");
  head.header("x-content-type-options", "nosniff");
  if (!co_await connection.begin_stream(head, "text/event-stream")) co_return;
  if (!co_await connection.send_piece("retry: 3000\n\n")) co_return;
  const Instant until = parts_.reactor.now() + kEventStreamTimeMax;
  while (!subscription->is_ended() && !is_draining_ && parts_.reactor.now() < until) {
    const auto sent = co_await send_events(connection, *last);
    if (!sent) co_return;
    if (*sent != *last) {
      last = *sent;  // There may be more.
      continue;
    }
    const bool has_news = co_await subscription->wait(parts_.reactor.after(kHeartbeat));
    if (has_news || subscription->is_ended()) continue;
    if (!co_await connection.send_piece(": still here\n\n")) co_return;
  }
  (void)co_await connection.end_stream();
}

Task<net::IoResult<std::int64_t>> FrontDoor::send_events(net::ServerConnection& connection,
                                                         std::int64_t last) {
  const ControlDesk::Events found = co_await parts_.desk.events_after(last);
  std::string text;
  for (const console::Control::Event& event : found.events) {
    text += fmt::format("id: {}\nevent: alert\ndata: {}\n\n", event.number, event.json);
    last = event.number;
  }
  if (!text.empty()) {
    if (const auto sent = co_await connection.send_piece(text); !sent) {
      co_return std::unexpected(sent.error());
    }
  }
  co_return last;
}

Task<void> FrontDoor::answer_shared(net::ServerConnection& connection, std::string_view path) {
  const bool is_style = path == console::kSupportStylePath;
  std::optional<std::string> page;
  if (!is_style) {
    page = co_await parts_.desk.shared_page(std::string(path.substr(console::kSharePath.size())));
  }
  net::http::HeadWriter head = connection.answer(is_style || page ? 200 : 404);
  // The address is the key: it must not travel on in a referrer, nor lie in anybody's cache.
  head.header("cache-control", "no-store");
  head.header("referrer-policy", "no-referrer");
  head.header("x-robots-tag", "noindex, nofollow");
  head.header("x-content-type-options", "nosniff");
  head.header("cross-origin-resource-policy", "same-origin");
  head.header("content-security-policy",
              "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
              "frame-ancestors 'none'");
  const std::string_view body = is_style ? console::support_style()
                                : page   ? std::string_view(*page)
                                         : console::no_such_page();
  const std::string_view type = is_style ? "text/css; charset=utf-8" : "text/html; charset=utf-8";
  if (!co_await connection.send(head, type, body)) connection.close_after_answer();
}

Task<void> FrontDoor::answer_metrics(net::ServerConnection& connection) {
  parts_.desk.refresh(parts_.metrics);
  const std::string text = parts_.metrics.render();
  net::http::HeadWriter head = connection.answer(200);
  if (!co_await connection.send(head, record::metrics_content_type, text)) {
    connection.close_after_answer();
  }
}

Task<void> FrontDoor::answer_json(net::ServerConnection& connection, int status,
                                  std::string_view body) {
  net::http::HeadWriter head = connection.answer(status);
  head.header("cache-control", "no-store");
  head.header("x-content-type-options", "nosniff");
  if (!co_await connection.send(head, "application/json", body)) connection.close_after_answer();
}

Task<void> FrontDoor::answer_problem(net::ServerConnection& connection, int status,
                                     std::string_view code, std::string_view message) {
  std::string body = R"({"error":{"code":)";
  exchange::append_json_string(body, code);
  body += R"(,"message":)";
  exchange::append_json_string(body, message);
  body += "}}";
  co_await answer_json(connection, status, body);
}

/// Browsers say where a request comes from. A page of another origin, or one that reached us
/// through a name that is not ours (DNS rebinding), gets nothing.
bool FrontDoor::is_from_elsewhere(const net::ServerConnection& connection) const {
  const std::string_view host = connection.head().value_of("host");
  if (parts_.only_local_names && !is_local_name(host)) return true;
  const std::string_view origin = connection.head().value_of("origin");
  if (origin.empty()) return false;
  const std::size_t scheme = origin.find("://");
  return scheme == std::string_view::npos || origin.substr(scheme + 3) != host;
}

void FrontDoor::close_idle() {
  is_draining_ = true;
  for (EventFeed::Subscription* const stream : streams_) stream->end();
  for (net::ServerConnection* const connection : connections_) {
    if (connection->is_idle()) {
      connection->socket().cancel();
    } else {
      connection->close_after_answer();
    }
  }
}

void FrontDoor::cancel_all() {
  is_draining_ = true;
  for (EventFeed::Subscription* const stream : streams_) stream->end();
  for (net::ServerConnection* const connection : connections_) connection->socket().cancel();
}

}  // namespace claviger::server
