#pragma once

/// The commands, one function each. The grammar (grammar.h) has checked their arguments.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/session.h"

namespace claviger::cli {

/// Everything that options can say; each command reads its own.
struct Arguments {
  std::string subject;  ///< The one positional: a name, an id, a file, a prompt.
  std::string owner;
  std::string app;
  std::string type;
  std::string provider;
  std::string name;
  std::string base_url;
  std::string key_env;
  std::string file;
  std::string chat_template;
  std::string projector;
  std::string model;
  std::string scope;
  std::string limit;
  std::string period;
  std::string warn;
  std::string when_exhausted;
  std::string downgrade_to;
  std::string rotation;
  std::string time_zone;
  std::string expires;
  std::string since;
  std::string by;
  std::string input_usd;
  std::string output_usd;
  std::string cached_input_usd;
  std::string cache_write_usd;
  std::string cache_write_1h_usd;
  std::string cost_usd;
  std::string correction_kind;
  std::string reason;
  std::string object;  ///< The second thing that a command is about.
  std::string listen;
  std::string batch_file;
  std::vector<std::string> models;
  std::vector<std::string> loras;
  std::vector<std::string> headers;
  std::optional<std::int64_t> requests_per_minute;
  std::optional<std::int64_t> tokens_per_minute;
  std::optional<std::int64_t> concurrent_requests;
  std::optional<std::int64_t> context_tokens;
  std::optional<std::int64_t> threads;
  std::optional<std::int64_t> attempt;
  std::optional<std::int64_t> last;
  std::optional<std::int64_t> days;
  std::optional<std::int64_t> output_tokens_max;
  std::optional<std::int64_t> status;
  bool is_workspace = false;
  bool allow_private = false;
  bool allow_unbounded = false;
  bool refuse_unbounded = false;
  bool key_from_stdin = false;
  std::string webhook_url;
  std::string mail_to;
  bool failed_only = false;
  bool is_probing = false;
  bool is_shared = false;
  std::string replay;
  bool only_open = false;
  bool only_dead = false;
  bool behind_tls_proxy = false;
  bool is_removal = false;
  bool is_ceiling = false;
  bool is_embedding = false;
};

using Command = Outcome<void> (*)(Session& session, const Arguments& arguments);

// commands_who.cpp
Outcome<void> owner_add(Session&, const Arguments&);
Outcome<void> owner_list(Session&, const Arguments&);
Outcome<void> owner_remove(Session&, const Arguments&);
Outcome<void> owner_time_zone(Session&, const Arguments&);
Outcome<void> owner_keep_content(Session&, const Arguments&);
Outcome<void> app_add(Session&, const Arguments&);
Outcome<void> app_list(Session&, const Arguments&);
Outcome<void> app_remove(Session&, const Arguments&);
Outcome<void> key_create(Session&, const Arguments&);
Outcome<void> key_list(Session&, const Arguments&);
Outcome<void> key_revoke(Session&, const Arguments&);
Outcome<void> key_confirm(Session&, const Arguments&);
Outcome<void> admin_key_create(Session&, const Arguments&);
Outcome<void> admin_key_list(Session&, const Arguments&);
Outcome<void> admin_key_revoke(Session&, const Arguments&);

// commands_places.cpp
Outcome<void> credential_add(Session&, const Arguments&);
Outcome<void> credential_list(Session&, const Arguments&);
Outcome<void> credential_test(Session&, const Arguments&);
Outcome<void> credential_rotate(Session&, const Arguments&);
Outcome<void> credential_disable(Session&, const Arguments&);
Outcome<void> credential_enable(Session&, const Arguments&);
Outcome<void> credential_set(Session&, const Arguments&);
Outcome<void> credential_remove(Session&, const Arguments&);
Outcome<void> model_add(Session&, const Arguments&);
Outcome<void> model_list(Session&, const Arguments&);
Outcome<void> model_show(Session&, const Arguments&);
Outcome<void> model_probe(Session&, const Arguments&);
Outcome<void> model_remove(Session&, const Arguments&);
Outcome<void> model_price(Session&, const Arguments&);
Outcome<void> model_prices(Session&, const Arguments&);
Outcome<void> alias_set(Session&, const Arguments&);
Outcome<void> alias_list(Session&, const Arguments&);
Outcome<void> alias_remove(Session&, const Arguments&);

// commands_money.cpp
Outcome<void> budget_set(Session&, const Arguments&);
Outcome<void> budget_list(Session&, const Arguments&);
Outcome<void> budget_show(Session&, const Arguments&);
Outcome<void> budget_remove(Session&, const Arguments&);
Outcome<void> budget_reconcile(Session&, const Arguments&);
Outcome<void> budget_correct(Session&, const Arguments&);
Outcome<void> budget_corrections(Session&, const Arguments&);
Outcome<void> budget_uncertain(Session&, const Arguments&);
Outcome<void> budget_confirm_clock(Session&, const Arguments&);
Outcome<void> usage_show(Session&, const Arguments&);
Outcome<void> weather_show(Session&, const Arguments&);
Outcome<void> requests_list(Session&, const Arguments&);
Outcome<void> request_show(Session&, const Arguments&);

// commands_diagnose.cpp
Outcome<void> diagnose(Session&, const Arguments&);
Outcome<void> share_list(Session&, const Arguments&);
Outcome<void> share_revoke(Session&, const Arguments&);

// commands_alerts.cpp
Outcome<void> alert_list(Session&, const Arguments&);
Outcome<void> alert_show(Session&, const Arguments&);
Outcome<void> alert_ack(Session&, const Arguments&);
Outcome<void> alert_retry(Session&, const Arguments&);
Outcome<void> alert_channel_add(Session&, const Arguments&);
Outcome<void> alert_channel_list(Session&, const Arguments&);
Outcome<void> alert_channel_test(Session&, const Arguments&);
Outcome<void> alert_channel_remove(Session&, const Arguments&);
Outcome<void> budget_forecast(Session&, const Arguments&);

// commands_server.cpp
Outcome<void> server_init(Session&, const Arguments&);
Outcome<void> server_serve(Session&, const Arguments&);
Outcome<void> server_status(Session&, const Arguments&);
Outcome<void> server_stop(Session&, const Arguments&);
Outcome<void> server_doctor(Session&, const Arguments&);
Outcome<void> server_backup(Session&, const Arguments&);
Outcome<void> server_restore(Session&, const Arguments&);
Outcome<void> config_check(Session&, const Arguments&);
Outcome<void> config_reload(Session&, const Arguments&);
Outcome<void> vault_status(Session&, const Arguments&);
Outcome<void> vault_rotate(Session&, const Arguments&);

// commands_catalog.cpp: neither home nor server is needed
Outcome<void> catalog_show(Session&, const Arguments&);
Outcome<void> catalog_search(Session&, const Arguments&);

// commands_price.cpp: neither
Outcome<void> price_answer(Session&, const Arguments&);

// commands_fault.cpp: neither home nor server is needed
Outcome<void> fault_classify(Session&, const Arguments&);

// commands_estimate.cpp: neither home nor server is needed
Outcome<void> estimate(Session&, const Arguments&);

// chat.cpp
Outcome<void> chat(Session&, const Arguments&);

}  // namespace claviger::cli
