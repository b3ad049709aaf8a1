#include "console/routes.h"

#include <fmt/format.h>

#include <algorithm>

namespace claviger::console {
namespace {

constexpr Route kRoutes[] = {
    {"GET", "/owners", Order::any, list_owners},
    {"POST", "/owners", Order::one_by_one, add_owner},
    {"DELETE", "/owners/{owner}", Order::one_by_one, remove_owner},
    {"PUT", "/owners/{owner}/time-zone", Order::one_by_one, set_time_zone},
    {"PUT", "/owners/{owner}/content", Order::one_by_one, set_keeping},
    {"GET", "/apps", Order::any, list_apps},
    {"POST", "/apps", Order::one_by_one, add_app},
    {"DELETE", "/apps/{app}", Order::one_by_one, remove_app},
    {"GET", "/credentials", Order::any, list_credentials},
    {"POST", "/credentials", Order::one_by_one, add_credential},
    {"DELETE", "/credentials/{credential}", Order::one_by_one, remove_credential},
    {"POST", "/credentials/{credential}/rotate", Order::one_by_one, rotate_credential},
    {"POST", "/credentials/{credential}/disable", Order::one_by_one, disable_credential},
    {"POST", "/credentials/{credential}/enable", Order::one_by_one, enable_credential},
    {"POST", "/credentials/{credential}/set", Order::one_by_one, set_credential},
    {"POST", "/credentials/{credential}/test", Order::any, test_credential},
    {"GET", "/models", Order::any, list_models},
    {"POST", "/models", Order::one_by_one, add_model},
    {"GET", "/models/{model}", Order::any, show_model},
    {"DELETE", "/models/{model}", Order::one_by_one, remove_model},
    {"POST", "/models/{model}/probe", Order::any, probe_model},
    {"GET", "/prices", Order::any, list_prices},
    {"PUT", "/prices", Order::one_by_one, put_price},
    {"DELETE", "/prices", Order::one_by_one, remove_price},
    {"POST", "/estimate", Order::any, estimate_cost},
    {"GET", "/aliases", Order::any, list_aliases},
    {"PUT", "/aliases", Order::one_by_one, put_alias},
    {"DELETE", "/aliases/{alias}", Order::one_by_one, remove_alias},
    {"GET", "/keys", Order::any, list_keys},
    {"POST", "/keys", Order::one_by_one, add_key},
    {"POST", "/keys/confirm", Order::one_by_one, confirm_keys},
    {"DELETE", "/keys/{key}", Order::one_by_one, revoke_key},
    {"GET", "/admin-keys", Order::any, list_admin_keys},
    {"POST", "/admin-keys", Order::one_by_one, add_admin_key},
    {"DELETE", "/admin-keys/{key}", Order::one_by_one, revoke_admin_key},
    {"GET", "/budgets", Order::any, list_budgets},
    {"POST", "/budgets", Order::one_by_one, set_budget},
    {"GET", "/budgets/{budget}", Order::any, show_budget},
    {"DELETE", "/budgets/{budget}", Order::one_by_one, remove_budget},
    {"GET", "/uncertain-costs", Order::any, list_uncertain},
    {"GET", "/budgets/{budget}/forecast", Order::any, show_forecast},
    {"GET", "/alerts", Order::any, list_alerts},
    {"GET", "/alerts/{alert}", Order::any, show_alert},
    {"POST", "/alerts/{alert}/ack", Order::one_by_one, acknowledge_alert},
    {"POST", "/alerts/{alert}/retry", Order::one_by_one, retry_alert},
    {"GET", "/alert-channels", Order::any, list_channels},
    {"POST", "/alert-channels", Order::one_by_one, add_channel},
    {"DELETE", "/alert-channels/{channel}", Order::one_by_one, remove_channel},
    {"POST", "/alert-channels/{channel}/test", Order::any, test_channel},
    {"GET", "/events", Order::any, list_events},
    {"GET", "/requests", Order::any, list_requests},
    {"GET", "/requests/{request}", Order::any, show_request},
    {"GET", "/requests/{request}/diagnosis", Order::any, show_diagnosis},
    {"POST", "/requests/{request}/diagnosis", Order::any, make_diagnosis},
    {"POST", "/requests/{request}/shares", Order::any, add_share},
    {"GET", "/shares", Order::any, list_shares},
    {"DELETE", "/shares/{share}", Order::one_by_one, remove_share},
    {"POST", "/requests/{request}/reconcile", Order::one_by_one, reconcile_request},
    {"POST", "/requests/{request}/correct", Order::one_by_one, correct_request},
    {"GET", "/corrections", Order::any, list_corrections},
    {"GET", "/usage", Order::any, show_usage},
    {"GET", "/weather", Order::any, show_weather},
    {"GET", "/vault", Order::any, show_vault},
    {"POST", "/vault/rotate", Order::one_by_one, rotate_vault},
    {"POST", "/backup", Order::one_by_one, make_backup},
    {"POST", "/config/check", Order::any, check_config},
    {"POST", "/config/reload", Order::one_by_one, reload_config},
    {"POST", "/clock/confirm", Order::one_by_one, confirm_clock},
    {"GET", "/doctor", Order::any, show_doctor},
    {"GET", "/status", Order::any, show_status},
};

}  // namespace

std::span<const Route> routes() {
  return kRoutes;
}

std::string_view Call::asked(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return {};
}

Outcome<void> Call::check_query(std::initializer_list<std::string_view> known) const {
  for (const auto& [key, value] : query) {
    if (std::ranges::find(known, key) == known.end()) {
      return problem(400, "unknown_parameter",
                     fmt::format("the query parameter \"{}\" is not known here", key),
                     "check its spelling; docs/reference/openapi.yaml names those that are");
    }
  }
  return {};
}

}  // namespace claviger::console
