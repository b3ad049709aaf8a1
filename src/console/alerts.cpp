/// Alerts, the channels on which people hear of them, and how budgets go on.

#include "console/alerts.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "console/fields.h"
#include "console/json_out.h"
#include "console/routes.h"
#include "console/text_forms.h"
#include "deliver/mail_message.h"
#include "deliver/webhook_signature.h"
#include "deliver/webhook_url.h"

namespace claviger::console {
namespace {

using alert::Alert;
using alert::AlertStoreError;
using alert::Channel;
using alert::ChannelId;
using alert::ChannelKind;
using alert::Delivery;
using alert::DeliveryState;

std::string_view to_text(ChannelKind kind) {
  return kind == ChannelKind::webhook ? "webhook" : "mail";
}

std::string_view to_text(DeliveryState state) {
  switch (state) {
    case DeliveryState::waiting:
      return "waiting";
    case DeliveryState::delivered:
      return "delivered";
    case DeliveryState::dead:
      return "dead";
  }
  return "dead";
}

std::string shown_target(const Channel& channel) {
  return channel.kind == ChannelKind::webhook ? deliver::shown_url(channel.target) : channel.target;
}

JsonObject about(const Registry& registry, const Channel& channel) {
  JsonObject json;
  json.id("id", channel.id)
      .text("kind", to_text(channel.kind))
      .text("target", shown_target(channel))
      .text_or_null("owner", registry.name_of(channel.owner))
      .id("owner_id", channel.owner)
      .time("created_at", channel.created_at);
  return json;
}

std::unexpected<Problem> of_alert_store(AlertStoreError error, std::string_view what,
                                        std::string_view named) {
  switch (error) {
    case AlertStoreError::not_found:
      return unknown(what, named);
    case AlertStoreError::exists:
      return problem(409, "exists", fmt::format("there is a channel to {} already", named),
                     "go on with the one that there is, or remove it first");
    case AlertStoreError::too_many:
      return problem(409, "too_many_channels",
                     fmt::format("there are {} channels already, which is the most for one owner",
                                 alert::kChannelsPerOwnerMax),
                     "remove one that is not needed: claviger alert channel remove ID");
    case AlertStoreError::unavailable:
      break;
  }
  return store_unavailable();
}

std::string delivery_json(const Delivery& delivery, const std::vector<Channel>& channels) {
  const auto channel = std::ranges::find(channels, delivery.channel, &Channel::id);
  const bool is_there = channel != channels.end();
  std::optional<WallTime> next_at;
  if (delivery.state == DeliveryState::waiting) next_at = delivery.next_at;
  return JsonObject()
      .id("channel", delivery.channel)
      .text_or_null("kind", is_there ? to_text(channel->kind) : std::string_view())
      .text_or_null("target", is_there ? shown_target(*channel) : std::string())
      .text("state", to_text(delivery.state))
      .number("attempts", delivery.attempts)
      .time("next_at", next_at)
      .time("delivered_at", delivery.delivered_at)
      .text_or_null("trouble", delivery.trouble)
      .finish();
}

/// An alert with what became of its deliveries.
Outcome<std::string> whole_json(const Registry& registry, const Alert& alert) {
  alert::AlertStore& store = registry.parts.alerts.store();
  const auto deliveries = store.deliveries(alert.number);
  const auto channels = store.channels();
  if (!deliveries || !channels) return store_unavailable();
  JsonArray list;
  for (const Delivery& delivery : *deliveries) list.add(delivery_json(delivery, *channels));
  return about_alert(registry, alert).raw("deliveries", list.finish()).finish();
}

/// `2 of 3 delivered`, as numbers.
std::string listed_json(const Registry& registry, const Alert& alert) {
  JsonObject json = about_alert(registry, alert);
  const auto deliveries = registry.parts.alerts.store().deliveries(alert.number);
  for (const DeliveryState state :
       {DeliveryState::delivered, DeliveryState::waiting, DeliveryState::dead}) {
    json.number(to_text(state),
                deliveries ? std::ranges::count(*deliveries, state, &Delivery::state) : 0);
  }
  return json.finish();
}

Outcome<Alert> find_alert(const Registry& registry, const std::string& id) {
  auto found = registry.parts.alerts.store().find(id);
  if (!found) return of_alert_store(found.error(), "alert", id);
  return std::move(*found);
}

Outcome<Channel> find_channel(const Registry& registry, const std::string& text) {
  const auto channels = registry.parts.alerts.store().channels();
  if (!channels) return store_unavailable();
  const auto id = ChannelId::parse(text);
  const auto found = std::ranges::find_if(
      *channels, [&](const Channel& channel) { return id && channel.id == *id; });
  if (found == channels->end()) {
    return problem(404, "unknown_channel", fmt::format("there is no alert channel \"{}\"", text),
                   "\"claviger alert channel list\" shows those that there are");
  }
  return *found;
}

Outcome<std::string> read_webhook(const std::string& url) {
  const auto parsed = deliver::parse_webhook_url(url);
  if (!parsed) return bad_value("url", parsed.error(), "send the address that takes POST requests");
  if (!parsed->endpoint.use_tls && !is_private_host(parsed->endpoint.host)) {
    return bad_value("url", "what is sent there would cross the network in clear",
                     "use https://; http:// is for hosts in your own network");
  }
  return url;
}

Outcome<std::string> read_address(const std::string& address) {
  if (!deliver::is_mail_address(address)) {
    return bad_value("to", "this is no mail address", "send one like ops@example.com");
  }
  return address;
}

Outcome<Channel> read_channel(const Registry& registry, std::string_view body) {
  Fields fields(body);
  const std::string kind = fields.text("kind");
  const std::string url = fields.text_if_any("url");
  const std::string address = fields.text_if_any("to");
  const std::string owner_text = fields.text_if_any("owner");
  if (auto read = fields.finish(); !read) return std::unexpected(read.error());
  const bool is_webhook = kind == "webhook";
  if (!is_webhook && kind != "mail") {
    return bad_value("kind", fmt::format("\"{}\" is no kind of channel", kind),
                     "use webhook or mail");
  }
  if ((is_webhook ? address : url).empty() == false) {
    return bad_value(is_webhook ? "to" : "url", "this is not for that kind of channel",
                     "a webhook has a url, mail has to");
  }
  Channel channel{.id = {},
                  .owner = {},
                  .kind = is_webhook ? ChannelKind::webhook : ChannelKind::mail,
                  .target = {},
                  .created_at = registry.parts.clock.wall_now()};
  if (!owner_text.empty()) {
    const auto owner = registry.owner(owner_text);
    if (!owner) return std::unexpected(owner.error());
    channel.owner = (*owner)->id;
  }
  auto target = is_webhook ? read_webhook(url) : read_address(address);
  if (!target) return std::unexpected(target.error());
  channel.target = std::move(*target);
  return channel;
}

Outcome<alert::AlertQuery> read_alert_query(const Registry& registry, const Call& call) {
  if (auto checked = call.check_query({"owner", "open", "dead", "last"}); !checked) {
    return std::unexpected(checked.error());
  }
  alert::AlertQuery query;
  const auto flag = [&](std::string_view name, bool& value) -> Outcome<void> {
    const std::string_view text = call.asked(name);
    if (!text.empty() && text != "true" && text != "false") {
      return bad_value(name, "this is neither true nor false", "send true, or leave it out");
    }
    value = text == "true";
    return {};
  };
  if (auto read = flag("open", query.only_open); !read) return std::unexpected(read.error());
  if (auto read = flag("dead", query.only_dead); !read) return std::unexpected(read.error());
  if (const std::string_view text = call.asked("last"); !text.empty()) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), query.limit);
    if (error != std::errc() || end != text.data() + text.size() || query.limit < 1 ||
        query.limit > alert::kAlertsListedMax) {
      return bad_value("last", "this is no number from 1 to 1000", "send how many alerts to list");
    }
  }
  if (const std::string_view text = call.asked("owner"); !text.empty()) {
    const auto owner = registry.owner(text);
    if (!owner) return std::unexpected(owner.error());
    query.owner = (*owner)->id;
  }
  return query;
}

}  // namespace

JsonObject about_alert(const Registry& registry, const Alert& alert) {
  JsonObject json;
  json.text("id", alert.id)
      .number("number", alert.number)
      .text("type", alert::to_text(alert.finding.condition))
      .text_or_null("owner", registry.name_of(alert.finding.owner))
      .id("owner_id", alert.finding.owner)
      .id("budget", alert.finding.budget)
      .text("text", alert.finding.summary)
      .raw("data", alert.finding.details)
      .time("detected_at", alert.detected_at)
      .time("acknowledged_at", alert.acknowledged_at)
      .text_or_null("acknowledged_by", alert.acknowledged_by);
  return json;
}

Task<Outcome<Reply>> list_alerts(Registry& registry, Call& call) {
  const auto query = read_alert_query(registry, call);
  if (!query) co_return std::unexpected(query.error());
  const auto alerts = registry.parts.alerts.store().list(*query);
  if (!alerts) co_return store_unavailable();
  co_return Reply{
      .body = list_of(*alerts, [&](const Alert& alert) { return listed_json(registry, alert); })};
}

Task<Outcome<Reply>> show_alert(Registry& registry, Call& call) {
  if (auto checked = call.check_query({}); !checked) co_return std::unexpected(checked.error());
  const auto alert = find_alert(registry, call.parts[0]);
  if (!alert) co_return std::unexpected(alert.error());
  auto json = whole_json(registry, *alert);
  if (!json) co_return std::unexpected(json.error());
  co_return Reply{.body = std::move(*json)};
}

Task<Outcome<Reply>> acknowledge_alert(Registry& registry, Call& call) {
  Fields fields(call.request.body);
  if (auto read = fields.finish(); !read) co_return std::unexpected(read.error());
  const auto alert = registry.parts.alerts.store().acknowledge(call.parts[0], call.request.who,
                                                               registry.parts.clock.wall_now());
  if (!alert) co_return of_alert_store(alert.error(), "alert", call.parts[0]);
  auto json = whole_json(registry, *alert);
  if (!json) co_return std::unexpected(json.error());
  co_return Reply{.body = std::move(*json)};
}

Task<Outcome<Reply>> retry_alert(Registry& registry, Call& call) {
  Fields fields(call.request.body);
  if (auto read = fields.finish(); !read) co_return std::unexpected(read.error());
  const auto waiting =
      registry.parts.alerts.store().retry(call.parts[0], registry.parts.clock.wall_now());
  if (!waiting) co_return of_alert_store(waiting.error(), "alert", call.parts[0]);
  registry.parts.alerts.deliver_soon();
  co_return Reply{.body = JsonObject().number("deliveries_waiting", *waiting).finish()};
}

Task<Outcome<Reply>> list_channels(Registry& registry, Call& call) {
  if (auto checked = call.check_query({}); !checked) co_return std::unexpected(checked.error());
  const auto channels = registry.parts.alerts.store().channels();
  if (!channels) co_return store_unavailable();
  co_return Reply{.body = list_of(*channels, [&](const Channel& channel) {
                    return about(registry, channel).finish();
                  })};
}

Task<Outcome<Reply>> add_channel(Registry& registry, Call& call) {
  auto wanted = read_channel(registry, call.request.body);
  if (!wanted) co_return std::unexpected(wanted.error());
  const std::string named = shown_target(*wanted);
  const auto added = registry.parts.alerts.store().add_channel(std::move(*wanted));
  if (!added) co_return of_alert_store(added.error(), "owner", named);
  JsonObject json = about(registry, *added);
  if (added->kind == ChannelKind::mail) co_return Reply{.status = 201, .body = json.finish()};

  const auto secret = registry.parts.vault.named_secret(deliver::signing_secret_name(added->id),
                                                        deliver::kSigningSecretBytes);
  if (!secret) {
    // A channel whose messages nobody could check must not be left behind.
    (void)registry.parts.alerts.store().remove_channel(added->id, registry.parts.clock.wall_now());
    co_return of_vault(secret.error(), added->id.text());
  }
  json.secret("secret", deliver::signing_secret_text(*secret).reveal());
  co_return Reply{.status = 201, .body = json.finish()};
}

Task<Outcome<Reply>> remove_channel(Registry& registry, Call& call) {
  const auto channel = find_channel(registry, call.parts[0]);
  if (!channel) co_return std::unexpected(channel.error());
  const auto removed =
      registry.parts.alerts.store().remove_channel(channel->id, registry.parts.clock.wall_now());
  if (!removed) co_return of_alert_store(removed.error(), "channel", call.parts[0]);
  if (auto forgotten =
          registry.parts.vault.forget_named_secret(deliver::signing_secret_name(channel->id));
      !forgotten) {
    co_return of_vault(forgotten.error(), channel->id.text());
  }
  co_return Reply{.body = about(registry, *channel).finish()};
}

Task<Outcome<Reply>> test_channel(Registry& registry, Call& call) {
  Fields fields(call.request.body);
  if (auto read = fields.finish(); !read) co_return std::unexpected(read.error());
  const auto channel = find_channel(registry, call.parts[0]);
  if (!channel) co_return std::unexpected(channel.error());
  const alert::DeliveryOutcome outcome = co_await registry.parts.alerts.test(*channel);
  const bool is_delivered = outcome.result == alert::DeliveryOutcome::Result::delivered;
  co_return Reply{.body = JsonObject()
                              .truth("delivered", is_delivered)
                              .text_or_null("trouble", outcome.trouble)
                              .finish()};
}

Task<Outcome<Reply>> list_events(Registry& registry, Call& call) {
  if (auto checked = call.check_query({"after"}); !checked) {
    co_return std::unexpected(checked.error());
  }
  std::int64_t after = 0;
  if (const std::string_view text = call.asked("after"); !text.empty()) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), after);
    if (error != std::errc() || end != text.data() + text.size() || after < 0) {
      co_return bad_value("after", "this is no event's number", "send the last one that you saw");
    }
  }
  const auto alerts = registry.parts.alerts.store().list_after(after, kEventsAtOnceMax);
  if (!alerts) co_return store_unavailable();
  co_return Reply{.body = list_of(*alerts, [&](const Alert& alert) {
                    return about_alert(registry, alert).finish();
                  })};
}

Task<Outcome<Reply>> show_forecast(Registry& registry, Call& call) {
  if (auto checked = call.check_query({}); !checked) co_return std::unexpected(checked.error());
  const auto budget = registry.budget(call.parts[0]);
  if (!budget) co_return std::unexpected(budget.error());
  const alert::Outlook outlook = registry.parts.alerts.outlook((*budget)->terms.id);
  std::optional<NanoUsd> pace;
  if (outlook.rate) pace = outlook.rate->per_day();
  std::string says = "Too little is known yet: it takes three hours, and some requests in them.";
  if (outlook.used_up_at) {
    says = fmt::format("At this pace it is used up on {}.", alert::to_words(*outlook.used_up_at));
  } else if (pace) {
    says = "At this pace it lasts.";
  }
  co_return Reply{.body = JsonObject()
                              .id("budget", (*budget)->terms.id)
                              .text("scope", scope_text(registry, **budget))
                              .usd("pace_usd_per_day", pace)
                              .time("used_up_at", outlook.used_up_at)
                              .text("says", says)
                              .finish()};
}

}  // namespace claviger::console
