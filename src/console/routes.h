#pragma once

/// The table of the control API: which handler answers which method and path. A test holds it
/// against docs/reference/openapi.yaml.

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "console/registry.h"

namespace claviger::console {

/// One request on its way to its handler, in the frame of Control::handle().
struct Call {
  ControlRequest& request;
  std::vector<std::string> parts;  ///< What stood for `{…}` in the path, decoded.
  std::vector<std::pair<std::string, std::string>> query;  ///< Decoded; each name once.

  /// Empty where it is absent.
  std::string_view asked(std::string_view name) const;
  /// Errors: 400 for a parameter that is none of `known`.
  Outcome<void> check_query(std::initializer_list<std::string_view> known) const;
};

using Handler = Task<Outcome<Reply>> (*)(Registry& registry, Call& call);

/// Whether requests of that kind wait for one another; see turns.h.
enum class Order : std::uint8_t {
  any,  ///< Only looks, or takes long and changes nothing of ours.
  one_by_one,
};

struct Route {
  std::string_view method;
  std::string_view path;  ///< `/owners/{owner}`
  Order order;
  Handler handler;
};

std::span<const Route> routes();

// owners_and_apps.cpp
Task<Outcome<Reply>> list_owners(Registry& registry, Call& call);
Task<Outcome<Reply>> add_owner(Registry& registry, Call& call);
Task<Outcome<Reply>> remove_owner(Registry& registry, Call& call);
/// What is kept of an owner's requests, so that they can be sent again elsewhere.
Task<Outcome<Reply>> set_keeping(Registry& registry, Call& call);
Task<Outcome<Reply>> list_apps(Registry& registry, Call& call);
Task<Outcome<Reply>> add_app(Registry& registry, Call& call);
Task<Outcome<Reply>> remove_app(Registry& registry, Call& call);

// keys.cpp
Task<Outcome<Reply>> list_keys(Registry& registry, Call& call);
Task<Outcome<Reply>> add_key(Registry& registry, Call& call);
Task<Outcome<Reply>> confirm_keys(Registry& registry, Call& call);
Task<Outcome<Reply>> set_time_zone(Registry& registry, Call& call);
Task<Outcome<Reply>> confirm_clock(Registry& registry, Call& call);
Task<Outcome<Reply>> revoke_key(Registry& registry, Call& call);
Task<Outcome<Reply>> list_admin_keys(Registry& registry, Call& call);
Task<Outcome<Reply>> add_admin_key(Registry& registry, Call& call);
Task<Outcome<Reply>> revoke_admin_key(Registry& registry, Call& call);

// credentials.cpp
Task<Outcome<Reply>> list_credentials(Registry& registry, Call& call);
Task<Outcome<Reply>> add_credential(Registry& registry, Call& call);
Task<Outcome<Reply>> rotate_credential(Registry& registry, Call& call);
Task<Outcome<Reply>> disable_credential(Registry& registry, Call& call);
Task<Outcome<Reply>> enable_credential(Registry& registry, Call& call);
Task<Outcome<Reply>> set_credential(Registry& registry, Call& call);
Task<Outcome<Reply>> remove_credential(Registry& registry, Call& call);
// credential_check.cpp
Task<Outcome<Reply>> test_credential(Registry& registry, Call& call);

// aliases.cpp
Task<Outcome<Reply>> list_aliases(Registry& registry, Call& call);
Task<Outcome<Reply>> put_alias(Registry& registry, Call& call);
Task<Outcome<Reply>> remove_alias(Registry& registry, Call& call);

// alerts.cpp
Task<Outcome<Reply>> list_alerts(Registry& registry, Call& call);
Task<Outcome<Reply>> show_alert(Registry& registry, Call& call);
Task<Outcome<Reply>> acknowledge_alert(Registry& registry, Call& call);
Task<Outcome<Reply>> retry_alert(Registry& registry, Call& call);
Task<Outcome<Reply>> list_channels(Registry& registry, Call& call);
Task<Outcome<Reply>> add_channel(Registry& registry, Call& call);
Task<Outcome<Reply>> remove_channel(Registry& registry, Call& call);
Task<Outcome<Reply>> test_channel(Registry& registry, Call& call);
/// For those who ask now and then; whoever accepts text/event-stream is told as it happens, by
/// the front door.
Task<Outcome<Reply>> list_events(Registry& registry, Call& call);
Task<Outcome<Reply>> show_forecast(Registry& registry, Call& call);

// budgets.cpp
Task<Outcome<Reply>> list_budgets(Registry& registry, Call& call);
Task<Outcome<Reply>> set_budget(Registry& registry, Call& call);
Task<Outcome<Reply>> show_budget(Registry& registry, Call& call);
Task<Outcome<Reply>> remove_budget(Registry& registry, Call& call);
/// A budget and how it stands, as GET /budgets/{id} answers it.
/// A copy, since the book that it is from may be replaced meanwhile.
Task<std::string> budget_json(Registry& registry, budget::Budget budget);

// models.cpp and model_probe.cpp
Task<Outcome<Reply>> list_models(Registry& registry, Call& call);
Task<Outcome<Reply>> add_model(Registry& registry, Call& call);
Task<Outcome<Reply>> show_model(Registry& registry, Call& call);
Task<Outcome<Reply>> remove_model(Registry& registry, Call& call);
Task<Outcome<Reply>> probe_model(Registry& registry, Call& call);

// prices.cpp
Task<Outcome<Reply>> list_prices(Registry& registry, Call& call);
Task<Outcome<Reply>> put_price(Registry& registry, Call& call);
Task<Outcome<Reply>> remove_price(Registry& registry, Call& call);

// estimates.cpp
Task<Outcome<Reply>> estimate_cost(Registry& registry, Call& call);

// requests.cpp
Task<Outcome<Reply>> list_requests(Registry& registry, Call& call);
Task<Outcome<Reply>> show_request(Registry& registry, Call& call);
Task<Outcome<Reply>> reconcile_request(Registry& registry, Call& call);
Task<Outcome<Reply>> correct_request(Registry& registry, Call& call);
Task<Outcome<Reply>> list_corrections(Registry& registry, Call& call);
/// Attempts whose cost no bill has confirmed, for `reconcile`.
Task<Outcome<Reply>> list_uncertain(Registry& registry, Call& call);
// diagnosis.cpp
Task<Outcome<Reply>> show_diagnosis(Registry& registry, Call& call);
/// With probes and a replay, where they are asked for.
Task<Outcome<Reply>> make_diagnosis(Registry& registry, Call& call);

// shares.cpp
Task<Outcome<Reply>> add_share(Registry& registry, Call& call);
Task<Outcome<Reply>> list_shares(Registry& registry, Call& call);
Task<Outcome<Reply>> remove_share(Registry& registry, Call& call);

Task<Outcome<Reply>> show_usage(Registry& registry, Call& call);
Task<Outcome<Reply>> show_weather(Registry& registry, Call& call);

// server.cpp
Task<Outcome<Reply>> show_vault(Registry& registry, Call& call);
Task<Outcome<Reply>> rotate_vault(Registry& registry, Call& call);
Task<Outcome<Reply>> make_backup(Registry& registry, Call& call);
Task<Outcome<Reply>> check_config(Registry& registry, Call& call);
Task<Outcome<Reply>> reload_config(Registry& registry, Call& call);
Task<Outcome<Reply>> show_doctor(Registry& registry, Call& call);
Task<Outcome<Reply>> show_status(Registry& registry, Call& call);

}  // namespace claviger::console
