/// Trying a credential out: a real call that costs nothing. It lists the provider's models with
/// the key, which every provider that we know answers free of charge, and tells how far it got.

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>

#include "console/json_out.h"
#include "console/provider_call.h"
#include "console/routes.h"
#include "exchange/json_writer.h"

namespace claviger::console {
namespace {

constexpr Duration kCheckTimeMax = std::chrono::seconds(15);
constexpr std::size_t kShownWordsBytesMax = 300;

/// `{"data": […]}` as OpenAI's dialect has it, or a bare list (Together). Nothing where it is
/// neither.
std::optional<std::size_t> count_models(std::string_view body) {
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse({body.data(), body.size()}, error);
  if (error) return std::nullopt;
  if (const auto* const list = value.if_array()) return list->size();
  const auto* const object = value.if_object();
  const auto* const data = object == nullptr ? nullptr : object->if_contains("data");
  if (data == nullptr || !data->is_array()) return std::nullopt;
  return data->get_array().size();
}

/// The provider's own words, without what could be the key.
std::string words_of(std::string_view body, std::string_view key) {
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse({body.data(), body.size()}, error);
  std::string words;
  if (!error && value.is_object()) {
    const boost::json::value* found = value.get_object().if_contains("error");
    if (found != nullptr && found->is_object()) found = found->get_object().if_contains("message");
    if (found == nullptr) found = value.get_object().if_contains("message");
    if (found != nullptr && found->is_string()) words = found->get_string().c_str();
  }
  for (std::size_t at = words.find(key); !key.empty() && at != std::string::npos;
       at = words.find(key)) {
    words.replace(at, key.size(), "(the key)");
  }
  std::ranges::replace_if(words, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return std::string(exchange::clipped(words, kShownWordsBytesMax));
}

std::string_view advice_for(int status) {
  if (status == 401 || status == 403) {
    return "The provider does not accept this key. Check it in the provider's console, then "
           "\"claviger credential rotate\" with the right one.";
  }
  if (status == 404) {
    return "There is no list of models at this address. Check the base URL: it usually ends in "
           "/v1.";
  }
  if (status == 429) return "The provider limits this key at the moment. Try again later.";
  if (status >= 500) return "The provider has trouble of its own. Try again later.";
  return "The provider answered in an unexpected way. Check the base URL.";
}

std::string_view advice_for(CallStage stage) {
  switch (stage) {
    case CallStage::egress:
      return "Remove the credential and add it again with --allow-private.";
    case CallStage::dns:
      return "Check the host in the base URL, and this machine's resolver.";
    case CallStage::tcp:
      return "Check that something listens there, and the port.";
    case CallStage::tls:
      return "Check that the host's certificate is valid for its name.";
    case CallStage::sending:
    case CallStage::answer:
      return "Check that the base URL is an HTTP API. Try again later.";
  }
  return "Try again later.";
}

JsonObject base_of(const vault::Credential& credential, const net::Endpoint& endpoint) {
  JsonObject json;
  json.id("id", credential.id).text("endpoint", endpoint.text()).truth("tls", endpoint.use_tls);
  return json;
}

std::string answer_json(const vault::Credential& credential, const net::Endpoint& endpoint,
                        const ProviderAnswer& answer, std::string_view key, Duration took) {
  const bool is_success = answer.status >= 200 && answer.status < 300;
  const auto models = is_success ? count_models(answer.body) : std::nullopt;
  JsonObject json = base_of(credential, endpoint);
  json.truth("works", is_success && models.has_value())
      .truth("reached", true)
      .null("failed_at")
      .number("status", answer.status);
  if (models) {
    json.number("models", *models);
  } else {
    json.null("models");
  }
  json.number("took_ms", std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
  if (is_success && models) {
    json.text("message",
              fmt::format("{} accepts this key and lists {} models", endpoint.text(), *models));
    return json.null("remedy").finish();
  }
  const std::string words = words_of(answer.body, key);
  json.text("message", fmt::format("{} answered {}{}", endpoint.text(), answer.status,
                                   words.empty() ? "" : fmt::format(": \"{}\"", words)));
  return json.text("remedy", advice_for(is_success ? 404 : answer.status)).finish();
}

std::string failure_json(const vault::Credential& credential, const net::Endpoint& endpoint,
                         const CallFailure& failure, Duration took) {
  const bool is_reached = failure.stage == CallStage::sending || failure.stage == CallStage::answer;
  return base_of(credential, endpoint)
      .truth("works", false)
      .truth("reached", is_reached)
      .text("failed_at", to_string(failure.stage))
      .null("status")
      .null("models")
      .number("took_ms", std::chrono::duration_cast<std::chrono::milliseconds>(took).count())
      .text("message", failure.message)
      .text("remedy", advice_for(failure.stage))
      .finish();
}

}  // namespace

Task<Outcome<Reply>> test_credential(Registry& registry, Call& call) {
  const auto found = registry.credential(call.parts[0]);
  if (!found) co_return std::unexpected(found.error());
  // Kept: the snapshot may be replaced while the provider thinks.
  const vault::OpenCredentials::Entry entry = **found;
  const provider::Profile* const profile = registry.parts.profiles->find(entry.about.provider);
  auto* const reactor = dynamic_cast<net::Reactor*>(Executor::current());
  if (profile == nullptr || reactor == nullptr) {
    co_return problem(422, "cannot_be_tested", "this credential cannot be tried out here",
                      "its provider is not known to this build; remove it");
  }
  const auto url =
      net::parse_base_url(entry.about.base_url.empty() ? profile->base_url : entry.about.base_url);
  if (!url || profile->models_path.empty()) {
    co_return problem(422, "cannot_be_tested",
                      "this provider has no list of models to try the key on",
                      "send a small request with it instead");
  }
  const ProviderCall request{.endpoint = url->endpoint,
                             .method = "GET",
                             .target = url->path + profile->models_path,
                             .auth_header = profile->auth_header,
                             .extra_headers = profile->extra_headers,
                             .auth_prefix = profile->auth_prefix,
                             .key = entry.key.reveal(),
                             .body = {}};
  const Instant started = reactor->clock().now();
  const auto answer = co_await call_provider(*reactor, registry.parts.egress, request,
                                             Deadline(started + kCheckTimeMax));
  const Duration took = reactor->clock().now() - started;
  if (!answer)
    co_return Reply{.body = failure_json(entry.about, url->endpoint, answer.error(), took)};
  co_return Reply{.body = answer_json(entry.about, url->endpoint, *answer, request.key, took)};
}

}  // namespace claviger::console
