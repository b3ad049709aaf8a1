/// `claviger chat`: one streamed request through the running server, as an application would
/// send it, with what it cost and what is left.

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "cli/commands.h"
#include "cli/secret_input.h"
#include "console/json_out.h"
#include "exchange/json_edit.h"
#include "exchange/sse.h"
#include "net/http/write.h"
#include "net/provider_exchange.h"

namespace claviger::cli {
namespace {

using console::JsonArray;
using console::JsonObject;

constexpr Duration kChatTimeMax = std::chrono::seconds(600);
constexpr std::size_t kPromptBytesMax = std::size_t{1} << 20;
constexpr std::size_t kErrorBytesMax = std::size_t{1} << 20;
constexpr std::size_t kEventBytesMax = std::size_t{4} << 20;

/// What came of it.
struct Reply {
  int status = 0;
  std::string request_id;
  std::string model;
  std::string left_usd;  ///< When it was let in; less than what is left at its end.
  std::string text;
  std::string cost_usd;
  std::string input_tokens;
  std::string output_tokens;
  std::string error;    ///< A body or event in place of an answer.
  std::string failure;  ///< The connection broke; a sentence.
  bool is_whole = false;
};

Outcome<net::BaseUrl> callers_url(Session& session) {
  if (!session.place.url.empty()) return parse_server_url(session.place.url);
  const auto said = session.ask("GET", "/status");
  if (!said) return std::unexpected(said.error());
  const auto* const listening = said->value.get_object().if_contains("listening");
  if (listening == nullptr || !listening->is_array() || listening->get_array().empty() ||
      !listening->get_array()[0].is_string()) {
    return refused("the server does not say where it listens; give --url http://HOST:PORT");
  }
  auto url = net::parse_base_url(std::string(listening->get_array()[0].get_string()));
  if (!url) return refused(url.error());
  // A server that listens everywhere is also here.
  if (url->endpoint.host == "0.0.0.0") url->endpoint.host = "127.0.0.1";
  if (url->endpoint.host == "::") url->endpoint.host = "::1";
  return *url;
}

std::string body_of(const Arguments& arguments, std::string_view prompt) {
  JsonArray messages;
  messages.add(JsonObject().text("role", "user").text("content", prompt).finish());
  JsonObject body;
  body.text("model", arguments.model)
      .raw("messages", messages.finish())
      .truth("stream", true)
      .raw("stream_options", R"({"include_usage":true})");
  if (arguments.output_tokens_max) body.number("max_tokens", *arguments.output_tokens_max);
  return body.finish();
}

std::string head_of(const net::BaseUrl& url, const Secret& key, std::size_t body_bytes) {
  std::string authorization;
  authorization.reserve(key.size() + 8);
  authorization.append("Bearer ").append(key.reveal());
  std::string out;
  out.reserve(2048);
  net::http::HeadWriter head(out);
  head.request("POST", url.path, "/v1/chat/completions");
  head.header("host", url.endpoint.text());
  head.header("user-agent", "claviger");
  head.header("authorization", authorization);
  head.header("content-type", "application/json");
  head.header("content-length", body_bytes);
  if (!head.finish()) out.clear();
  wipe(authorization.data(), authorization.size());
  return out;
}

/// Prints what one event brings, and keeps what is said at the end.
void take_event(std::string_view data, Reply& reply, bool as_json) {
  if (data == "[DONE]") {
    reply.is_whole = true;
    return;
  }
  json::error_code error;
  const json::value event = json::parse({data.data(), data.size()}, error);
  if (error || !event.is_object()) return;
  if (event.get_object().if_contains("error") != nullptr) {
    reply.error = data;
    return;
  }
  json::error_code missing;
  if (const auto* const delta = event.find_pointer("/choices/0/delta/content", missing);
      delta != nullptr && delta->is_string()) {
    const std::string text(delta->get_string());
    reply.text += text;
    if (!as_json) {
      std::fwrite(text.data(), 1, text.size(), stdout);
      std::fflush(stdout);
    }
  }
  const exchange::Span usage = exchange::find_value(data, "usage");
  if (usage.empty()) return;
  const std::string_view usage_text = exchange::at(data, usage);
  const auto number = [&](std::string_view name) {
    // As text: a cost must not pass through a float.
    const exchange::Span place = exchange::find_value(usage_text, name);
    return std::string(exchange::at(usage_text, place));
  };
  if (std::string cost = number("cost"); !cost.empty()) reply.cost_usd = std::move(cost);
  if (std::string in = number("prompt_tokens"); !in.empty()) reply.input_tokens = std::move(in);
  if (std::string out = number("completion_tokens"); !out.empty()) {
    reply.output_tokens = std::move(out);
  }
}

Task<void> read_stream(net::ProviderExchange& exchange, Reply& reply, Deadline deadline,
                       bool as_json) {
  net::Buffer pending;
  std::size_t searched = 0;
  for (;;) {
    const auto count = co_await exchange.read_body(pending, deadline);
    if (!count) {
      reply.failure = "the stream broke off before it was done";
      co_return;
    }
    if (*count == 0) co_return;
    while (const std::size_t length = exchange::event_length(pending.bytes(), searched)) {
      std::string joined;
      take_event(exchange::event_data(pending.bytes().substr(0, length), joined), reply, as_json);
      pending.consume(length);
      searched = 0;
    }
    if (pending.size() > kEventBytesMax) {
      reply.failure = "the server sent an event of more than 4 MiB";
      co_return;
    }
  }
}

Task<void> send_and_read(Network& network, const net::BaseUrl& url, std::string head,
                         const std::string& body, Reply& reply, bool as_json) {
  net::Reactor& reactor = network.reactor();
  const Deadline deadline = reactor.after(kChatTimeMax);
  auto stream = co_await network.egress().connect(reactor, url.endpoint, deadline);
  if (!stream) {
    reply.failure = stream.error().message;
    co_return;
  }
  net::ProviderExchange exchange(std::move(*stream));
  const auto sent = co_await exchange.send(head, body, deadline);
  wipe(head.data(), head.size());
  const auto read = co_await exchange.read_head("POST", deadline);
  if (!sent || !read) {
    reply.failure = fmt::format("{} broke off before it answered", url.endpoint.text());
    co_return;
  }
  const net::http::ResponseHead& answer = exchange.head();
  reply.status = answer.status;
  reply.request_id = answer.value_of("x-claviger-request-id");
  reply.model = answer.value_of("x-claviger-model");
  reply.left_usd = answer.value_of("x-claviger-budget-remaining");
  exchange.release_head();
  if (reply.status == 200) co_return co_await read_stream(exchange, reply, deadline, as_json);
  net::Buffer refusal;
  for (;;) {
    const auto count = co_await exchange.read_body(refusal, deadline);
    if (!count || *count == 0 || refusal.size() > kErrorBytesMax) break;
  }
  reply.error = refusal.bytes();
}

/// `{"error": {"message", "claviger": {"remedy"}}}` as a sentence.
std::string explain_error(const Reply& reply) {
  json::error_code error;
  const json::value value = json::parse(reply.error, error);
  json::error_code missing;
  const auto* const message = error ? nullptr : value.find_pointer("/error/message", missing);
  if (message == nullptr || !message->is_string()) {
    return fmt::format("the server answered {} without saying why", reply.status);
  }
  std::string sentence(message->get_string());
  if (!sentence.ends_with('.')) sentence += '.';
  const auto* const remedy = value.find_pointer("/error/claviger/remedy", missing);
  if (remedy != nullptr && remedy->is_string() && !remedy->get_string().empty()) {
    sentence += fmt::format(" To do: {}", std::string(remedy->get_string()));
  }
  return printable(sentence);
}

/// What is left now in the tightest of the budgets that it counted against, and which one that
/// is. The answer's header was written before the cost was known, so the server is asked.
struct Left {
  std::string usd;
  std::string scope;
};
Left ask_what_is_left(Session& session, const Reply& reply) {
  Left left{.usd = reply.left_usd, .scope = {}};
  const bool may_ask = session.place.url.empty() || std::getenv("CLAVIGER_ADMIN_KEY") != nullptr;
  if (!may_ask || reply.request_id.empty()) return left;
  const auto said = session.ask("GET", "/requests/" + percent_encoded(reply.request_id));
  if (!said) return left;
  const auto* const budgets = said->value.get_object().if_contains("budgets");
  if (budgets == nullptr || !budgets->is_array()) return left;
  std::optional<NanoUsd> tightest;
  for (const json::value& budget : budgets->get_array()) {
    const auto amount = parse_usd(text_of(budget, "left_usd"));
    if (!amount || text_of(budget, "per") == "request" || (tightest && *amount >= *tightest)) {
      continue;
    }
    tightest = *amount;
    left = {.usd = to_decimal(*amount), .scope = text_of(budget, "scope")};
  }
  return left;
}

Outcome<Secret> virtual_key(const Arguments& arguments) {
  const std::string variable = arguments.key_env.empty() ? "CLAVIGER_KEY" : arguments.key_env;
  if (arguments.key_env.empty() && std::getenv(variable.c_str()) == nullptr) {
    return refused(
        "chat needs a virtual key (clv_…) in the environment variable CLAVIGER_KEY, or in the one "
        "that --key-env names; make one with: claviger key create --owner NAME --app NAME");
  }
  return secret_from_environment(variable);
}

}  // namespace

Outcome<void> chat(Session& session, const Arguments& arguments) {
  const auto key = virtual_key(arguments);
  if (!key) return std::unexpected(key.error());
  std::string prompt = arguments.subject;
  if (prompt.empty()) {
    auto text = text_from_stdin(kPromptBytesMax);
    if (!text) return std::unexpected(text.error());
    prompt = std::move(*text);
  }
  if (prompt.find_first_not_of(" \n\r\t") == std::string::npos) {
    return wrong_usage("say something: claviger chat --model M \"Hello\", or on standard input");
  }
  const auto url = callers_url(session);
  if (!url) return std::unexpected(url.error());
  auto network = Network::for_endpoint(session.clock, url->endpoint);
  if (!network) return std::unexpected(network.error());
  const std::string body = body_of(arguments, prompt);
  std::string head = head_of(*url, *key, body.size());
  if (head.empty()) return refused("the virtual key holds characters that no key has");

  Reply reply;
  (*network)->run([&] {
    return send_and_read(**network, *url, std::move(head), body, reply, session.as_json);
  });
  if (!session.as_json && !reply.text.empty()) std::fputc('\n', stdout);
  if (!reply.error.empty()) return refused(explain_error(reply));
  if (!reply.failure.empty()) return refused(reply.failure);
  if (reply.status != 200) return refused(explain_error(reply));
  if (!reply.is_whole) return refused("the stream ended before it was done");

  const Left left = ask_what_is_left(session, reply);
  if (session.as_json) {
    say(JsonObject()
            .text("request", reply.request_id)
            .text("model", reply.model)
            .text("answer", reply.text)
            .raw("input_tokens", reply.input_tokens.empty() ? "null" : reply.input_tokens)
            .raw("output_tokens", reply.output_tokens.empty() ? "null" : reply.output_tokens)
            .text_or_null("cost_usd", reply.cost_usd)
            .text_or_null("left_usd", left.usd)
            .text_or_null("budget", left.scope)
            .finish());
    return {};
  }
  say(fmt::format(
      "\n{} tokens in, {} out, cost ${}; ${} left{}. {}",
      reply.input_tokens.empty() ? "?" : reply.input_tokens,
      reply.output_tokens.empty() ? "?" : reply.output_tokens,
      reply.cost_usd.empty() ? "?" : reply.cost_usd, left.usd.empty() ? "?" : left.usd,
      left.scope.empty() ? std::string() : fmt::format(" of the budget on {}", left.scope),
      reply.request_id));
  return {};
}

}  // namespace claviger::cli
