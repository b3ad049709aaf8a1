#include "cli/grammar.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdlib>
#include <functional>

#include "alert/alert.h"
#include "cli/grammar_checks.h"

namespace claviger::cli {
namespace {

constexpr std::int64_t kCountMax = 60'000'000'000;

using Check = std::function<std::string(const std::string&)>;

Check row_id(std::string prefix) {
  return
      [prefix = std::move(prefix)](const std::string& text) { return check_row_id(text, prefix); };
}

/// One command while it is being described.
class Leaf {
 public:
  Leaf(CLI::App* app, Arguments& arguments) : app_(app), arguments_(arguments) {}

  using Text = std::string Arguments::*;
  using Number = std::optional<std::int64_t> Arguments::*;
  using Flag = bool Arguments::*;
  using Texts = std::vector<std::string> Arguments::*;
  enum class Need : std::uint8_t { optional, required };

  Leaf& positional(const char* shown, const char* what, Check check = {},
                   Need need = Need::required) {
    return add(app_->add_option(shown, arguments_.subject, what), std::move(check), need, "");
  }
  Leaf& second(const char* shown, const char* what) {
    return add(app_->add_option(shown, arguments_.object, what), {}, Need::required, "");
  }
  Leaf& text(const char* name, Text field, const char* form, const char* what,
             Need need = Need::optional, Check check = {}) {
    return add(app_->add_option(name, arguments_.*field, what), std::move(check), need, form);
  }
  Leaf& number(const char* name, Number field, const char* what, std::int64_t least,
               std::int64_t most) {
    auto* const option = app_->add_option_function<std::int64_t>(
        name, [&target = arguments_.*field](const std::int64_t& value) { target = value; }, what);
    add(
        option, [least, most](const std::string& text) { return check_count(text, least, most); },
        Need::optional, "N");
    return *this;
  }
  Leaf& texts(const char* name, Texts field, const char* form, const char* what) {
    app_->add_option(name, arguments_.*field, what)->type_name(form);
    return *this;
  }
  Leaf& flag(const char* name, Flag field, const char* what) {
    app_->add_flag(name, arguments_.*field, what);
    return *this;
  }
  /// Of each pair. Not with excludes(), which clutters the help.
  Leaf& at_most_one_of(std::vector<std::pair<const char*, const char*>> pairs) {
    app_->parse_complete_callback([app = app_, pairs = std::move(pairs)] {
      for (const auto& [first, second] : pairs) {
        if (app->count(first) > 0 && app->count(second) > 0) {
          throw CLI::ExcludesError(first, second);
        }
      }
    });
    return *this;
  }
  Leaf& example(const char* text) {
    app_->footer(std::string("Example:\n  ") + text);
    return *this;
  }
  /// A key as an argument would be seen by everybody on the machine.
  Leaf& no_key_argument() {
    app_->add_option_function<std::string>("--key",
                                           [](const std::string&) {
                                             throw CLI::ValidationError(
                                                 "--key",
                                                 "a key is never taken from an argument, where "
                                                 "others on this machine could see it; "
                                                 "use --key-stdin or --key-env VARIABLE");
                                           })
        ->group("");
    return *this;
  }

 private:
  Leaf& add(CLI::Option* option, Check check, Need need, const char* form) {
    if (check) option->check(CLI::Validator(std::move(check), ""));
    if (need == Need::required) option->required();
    if (*form != '\0') option->type_name(form);
    return *this;
  }

  CLI::App* app_;
  Arguments& arguments_;
};

/// The whole grammar: made anew for each command line.
class Grammar {
 public:
  Grammar();

  GrammarResult parse(int argc, const char* const* argv);
  std::vector<CommandDescription> describe() const;

 private:
  struct Known {
    CLI::App* app;
    Command command;
    std::string path;
  };

  Leaf leaf(CLI::App& parent, const char* name, const char* what, Command command) {
    CLI::App* const app = parent.add_subcommand(name, what);
    known_.push_back({.app = app, .command = command, .path = path_of(*app)});
    return Leaf(app, arguments_);
  }
  /// `alert channel add`
  std::string path_of(const CLI::App& app) const {
    const CLI::App* const parent = app.get_parent();
    return parent == &app_ ? app.get_name()
                           : fmt::format("{} {}", path_of(*parent), app.get_name());
  }
  CLI::App& group(const char* name, const char* what) { return group(app_, name, what); }
  static CLI::App& group(CLI::App& parent, const char* name, const char* what) {
    CLI::App* const app = parent.add_subcommand(name, what);
    app->require_subcommand(1);
    return *app;
  }

  void declare_installation();
  void declare_owners_and_apps();
  void declare_keys();
  void declare_credentials();
  void declare_models();
  void declare_budgets();
  void declare_alerts();
  void declare_requests();
  void declare_catalog();
  void declare_faults();

  CLI::App app_{
      "Claviger stands between AI applications and model providers, and keeps their owners'\n"
      "keys, limits and models.",
      "claviger"};
  Arguments arguments_;
  std::string home_;
  std::string url_;
  bool as_json_ = false;
  std::vector<Known> known_;
};

using Need = Leaf::Need;

Grammar::Grammar() {
  app_.set_version_flag("--version", "claviger " CLAVIGER_VERSION);
  app_.add_option("--home", home_, "The home folder (else CLAVIGER_HOME, else ~/.claviger)")
      ->type_name("DIR");
  app_.add_option("--url", url_, "A server elsewhere; its admin key stands in CLAVIGER_ADMIN_KEY")
      ->type_name("URL")
      ->check(CLI::Validator(check_base_url, ""));
  app_.add_flag("--json", as_json_, "One JSON document instead of text for people");
  app_.fallthrough();
  app_.require_subcommand(1);
  declare_installation();
  declare_owners_and_apps();
  declare_keys();
  declare_credentials();
  declare_models();
  declare_budgets();
  declare_alerts();
  declare_requests();
  declare_catalog();
  declare_faults();
  // Last, since a command takes over the footer that is there when it is described.
  app_.footer(
      "First steps:\n"
      "  claviger init\n"
      "  claviger serve\n"
      "  claviger owner add me && claviger app add notes\n"
      "  claviger credential add --owner me --provider openai --key-stdin\n"
      "  claviger key create --owner me --app notes\n"
      "\"claviger COMMAND --help\" says more. --home, --url and --json go with every command.");
}

void Grammar::declare_installation() {
  arguments_.limit = "10.00";
  leaf(app_, "init", "Make a home: root key, database, settings, a default budget, an admin key",
       server_init)
      .text("--default-limit", &Arguments::limit, "USD",
            "What each owner may spend in a month, unless they set another limit (10.00)",
            Need::optional, check_amount)
      .example("claviger init --default-limit 5.00");
  leaf(app_, "serve", "Run the server until SIGTERM or SIGINT", server_serve)
      .text("--listen", &Arguments::listen, "HOST:PORT", "Instead of the settings' address",
            Need::optional, check_listen)
      .flag("--behind-tls-proxy", &Arguments::behind_tls_proxy,
            "Something in front of it speaks TLS: allows other addresses than loopback")
      .example("claviger serve --listen 127.0.0.1:8484");
  leaf(app_, "status", "What the running server is and where it listens", server_status);
  leaf(app_, "stop", "Stop the running server; requests in flight are finished", server_stop);
  leaf(app_, "doctor", "Check this installation, and say what to mend", server_doctor);
  leaf(app_, "backup", "Write a consistent copy of the database while the server runs",
       server_backup)
      .positional("file", "Where to");
  leaf(app_, "restore", "Bring a backup back; virtual keys stay disabled until you confirm them",
       server_restore)
      .positional("file", "The backup")
      .text("--spent-since", &Arguments::cost_usd, "USD",
            "What was spent since the backup was made; else it is asked for", Need::optional,
            check_amount);
  CLI::App& config = group("config", "The settings in claviger.toml");
  leaf(config, "check", "Say whether claviger.toml is sound", config_check);
  leaf(config, "reload", "Put claviger.toml into force, all or nothing", config_reload);
  CLI::App& vault = group("vault", "Where credentials are kept");
  leaf(vault, "status", "How the vault stands", vault_status);
  leaf(vault, "rotate", "Make a new root key, while the server runs", vault_rotate);
}

void Grammar::declare_owners_and_apps() {
  CLI::App& owner = group("owner", "Owners: people or teams whose keys, models and money it is");
  leaf(owner, "add", "Add an owner", owner_add)
      .positional("name", "What to call them")
      .text("--type", &Arguments::type, "TYPE", "person (the default) or team", Need::optional,
            [](const std::string& text) {
              return text == "person" || text == "team" ? std::string() : "write person or team";
            });
  leaf(owner, "list", "List owners", owner_list);
  leaf(owner, "time-zone", "Say where an owner's days begin", owner_time_zone)
      .positional("name", "The owner")
      .second("zone", "An IANA name, like Europe/Berlin")
      .example("claviger owner time-zone me Europe/Berlin");
  leaf(owner, "keep-content", "Say what is kept of an owner's requests, for diagnose --replay",
       owner_keep_content)
      .positional("name", "The owner")
      .second("what", "off (the default), failed (15 minutes, in memory) or stored")
      .number("--days", &Arguments::days, "For stored: how long (7)", 1, 365)
      .example("claviger owner keep-content me failed");
  leaf(owner, "remove", "Remove an owner who has nothing any more", owner_remove)
      .positional("name", "Name or id");
  CLI::App& app = group("app", "Apps: what calls models through Claviger");
  leaf(app, "add", "Add an app", app_add).positional("name", "What to call it");
  leaf(app, "list", "List apps", app_list);
  leaf(app, "remove", "Remove an app that has no virtual keys any more", app_remove)
      .positional("name", "Name or id");
}

void Grammar::declare_keys() {
  CLI::App& key = group("key", "Virtual keys: what applications present");
  leaf(key, "create", "Make a virtual key; it is shown once", key_create)
      .text("--owner", &Arguments::owner, "NAME", "Who pays", Need::required)
      .text("--app", &Arguments::app, "NAME", "Which app uses it", Need::required)
      .texts("--models", &Arguments::models, "PATTERN",
             "Only these models, e.g. 'openai/*'; else all")
      .text("--expires", &Arguments::expires, "WHEN", "2026-12-31, 2026-12-31T18:00:00Z or 30d",
            Need::optional, check_moment)
      .number("--rpm", &Arguments::requests_per_minute, "Requests a minute at most", 0, kCountMax)
      .number("--tpm", &Arguments::tokens_per_minute, "Tokens a minute at most", 0, kCountMax)
      .number("--concurrency", &Arguments::concurrent_requests, "Requests at a time at most", 0,
              kCountMax)
      .example("claviger key create --owner me --app notes --models 'openai/*' --rpm 60");
  leaf(key, "list", "List virtual keys, revoked ones too", key_list);
  leaf(key, "revoke", "Refuse requests with this key from now on", key_revoke)
      .positional("id", "Its id, e.g. key_3", row_id("key"));
  leaf(key, "confirm", "After a restore: let the keys that are not revoked work again",
       key_confirm);
  CLI::App& admin = group("admin-key", "Admin keys: what opens the control API from elsewhere");
  leaf(admin, "create", "Make an admin key; it is shown once", admin_key_create)
      .positional("name", "Who or what will use it");
  leaf(admin, "list", "List admin keys, revoked ones too", admin_key_list);
  leaf(admin, "revoke", "Refuse this admin key from now on", admin_key_revoke)
      .positional("id", "Its id, e.g. adm_2", row_id("adm"));
}

void Grammar::declare_credentials() {
  CLI::App& credential =
      group("credential", "Credentials: keys for providers, and endpoints of one's own");
  leaf(credential, "add", "Add a provider's key, or an endpoint", credential_add)
      .text("--owner", &Arguments::owner, "NAME", "Whose it is")
      .flag("--workspace", &Arguments::is_workspace, "Everybody's")
      .text("--provider", &Arguments::provider, "ID",
            "openai, openrouter, …; openai-compatible for any other server", Need::required)
      .text("--name", &Arguments::name, "N", "What to call it; an endpoint's models are N/MODEL")
      .text("--base-url", &Arguments::base_url, "URL", "Where it is, e.g. https://host/v1",
            Need::optional, check_base_url)
      .flag("--allow-private", &Arguments::allow_private,
            "It is in your own network: opens exactly this host and port")
      .flag("--key-stdin", &Arguments::key_from_stdin, "Read the key from standard input")
      .text("--key-env", &Arguments::key_env, "VARIABLE", "Read it from the environment",
            Need::optional, check_variable)
      .at_most_one_of({{"--owner", "--workspace"}, {"--key-stdin", "--key-env"}})
      .no_key_argument()
      .example("claviger credential add --owner me --provider openai --key-stdin");
  leaf(credential, "list", "List credentials", credential_list);
  leaf(credential, "test", "Try one out, free of charge: list the provider's models with it",
       credential_test)
      .positional("id", "Its id, e.g. crd_1", row_id("crd"));
  leaf(credential, "rotate", "Replace its key by a new one of the same account", credential_rotate)
      .positional("id", "Its id, e.g. crd_1", row_id("crd"))
      .flag("--key-stdin", &Arguments::key_from_stdin, "Read the key from standard input")
      .text("--key-env", &Arguments::key_env, "VARIABLE", "Read it from the environment",
            Need::optional, check_variable)
      .at_most_one_of({{"--key-stdin", "--key-env"}})
      .no_key_argument();
  leaf(credential, "disable", "Use it no more until it is enabled again", credential_disable)
      .positional("id", "Its id, e.g. crd_1", row_id("crd"));
  leaf(credential, "enable", "Use it again", credential_enable)
      .positional("id", "Its id, e.g. crd_1", row_id("crd"));
  leaf(credential, "set", "Say what may be done with it", credential_set)
      .positional("id", "Its id, e.g. crd_1", row_id("crd"))
      .flag("--allow-unbounded", &Arguments::allow_unbounded,
            "Let requests through whose cost nothing bounds; they can pass a limit")
      .flag("--refuse-unbounded", &Arguments::refuse_unbounded, "Refuse them, as at first")
      .at_most_one_of({{"--allow-unbounded", "--refuse-unbounded"}});
  leaf(credential, "remove", "Forget it and overwrite its key", credential_remove)
      .positional("id", "Its id, e.g. crd_1", row_id("crd"));
}

void Grammar::declare_models() {
  CLI::App& model = group("model", "Model files of one's own, and what models cost");
  leaf(model, "add", "Add a GGUF file; it stays where it is", model_add)
      .text("--owner", &Arguments::owner, "NAME", "Whose it is", Need::required)
      .text("--file", &Arguments::file, "FILE", "The file, or the first part of it", Need::required)
      .text("--name", &Arguments::name, "N", "Its models' name is local/N; else from the file's")
      .number("--context", &Arguments::context_tokens, "Tokens of prompt and answer together", 128,
              16'777'216)
      .number("--threads", &Arguments::threads, "CPU threads", 1, 1024)
      .text("--chat-template", &Arguments::chat_template, "T",
            "A template's name (chatml) or file; else the one in the model")
      .texts("--lora", &Arguments::loras, "FILE", "A LoRA adapter; may be repeated")
      .text("--projector", &Arguments::projector, "FILE", "A vision projector (mmproj)")
      .example("claviger model add --owner me --file ~/models/my-model.Q4_K_M.gguf");
  leaf(model, "list", "List model files", model_list);
  leaf(model, "show", "What is in a model file, and the memory it needs", model_show)
      .positional("id", "mdl_1 or local/NAME");
  leaf(model, "probe", "Start it and have it say one sentence", model_probe)
      .positional("id", "mdl_1 or local/NAME");
  leaf(model, "remove", "Forget a model file; the file stays", model_remove)
      .positional("id", "mdl_1 or local/NAME");
  leaf(model, "price", "Say what a million tokens of a model cost its owner", model_price)
      .positional("id", "mdl_1, local/NAME or provider/model")
      .text("--owner", &Arguments::owner, "NAME", "Whose price; a model file's owner is known")
      .flag("--workspace", &Arguments::is_workspace, "The price of the workspace's own credentials")
      .text("--input", &Arguments::input_usd, "USD", "For a million tokens in", Need::optional,
            check_rate)
      .text("--output", &Arguments::output_usd, "USD", "For a million tokens out", Need::optional,
            check_rate)
      .text("--cached-input", &Arguments::cached_input_usd, "USD",
            "For a million tokens from the provider's cache; else as --input", Need::optional,
            check_rate)
      .text("--cache-write", &Arguments::cache_write_usd, "USD",
            "For a million tokens written to it for minutes; else as --input", Need::optional,
            check_rate)
      .text("--cache-write-1h", &Arguments::cache_write_1h_usd, "USD",
            "The same for an hour; else as --cache-write", Need::optional, check_rate)
      .text("--card", &Arguments::file, "FILE",
            "All rates as JSON, with the keys of a price row (docs/reference/prices.md)")
      .flag("--ceiling", &Arguments::is_ceiling,
            "The model's price is not known; it costs at most this")
      .flag("--remove", &Arguments::is_removal, "Go back to the catalog's price")
      .example("claviger model price local/my-model --owner me --input 0 --output 0");
  CLI::App& alias = group("alias", "Names of one's own for models, with what stands in for them");
  leaf(alias, "set", "Give a name to a model, or to a list of them in order", alias_set)
      .positional("name", "What applications ask for")
      .second("models", "provider/model[,provider/model...]: the preferred one first")
      .text("--owner", &Arguments::owner, "NAME", "For this owner only; else for everybody")
      .text("--rotation", &Arguments::rotation, "WAY",
            "Among credentials with the same model: order, round-robin or least-used",
            Need::optional, check_rotation)
      .example("claviger alias set fast openai/gpt-4o-mini,groq/llama-3.3-70b-versatile");
  leaf(alias, "list", "List aliases", alias_list);
  leaf(alias, "remove", "Forget an alias", alias_remove)
      .positional("name", "The alias")
      .text("--owner", &Arguments::owner, "NAME", "This owner's; else everybody's");
  leaf(model, "prices", "List the prices that owners have stated", model_prices);
}

void Grammar::declare_budgets() {
  CLI::App& budget = group("budget", "Budgets: limits in money over a period");
  leaf(budget, "set", "Set a limit; one of the same scope and period is replaced", budget_set)
      .text("--scope", &Arguments::scope, "SCOPE",
            "workspace, owner:NAME, app:NAME, credential:ID, key:ID, model:PATTERN, each-owner, "
            "each-user",
            Need::required, check_scope)
      .text("--limit", &Arguments::limit, "USD", "The most that may be spent", Need::required,
            check_amount)
      .text("--per", &Arguments::period, "PERIOD", "request, day, week, month or total",
            Need::required, check_period)
      .text("--warn", &Arguments::warn, "PERCENTS", "When to warn (50,80,95,100)", Need::optional,
            check_warnings)
      .text(
          "--when-exhausted", &Arguments::when_exhausted, "POLICY",
          "clamp (the default: shorter answers while they fit), queue (wait), downgrade or refuse",
          Need::optional, check_policy)
      .text("--downgrade-to", &Arguments::downgrade_to, "MODELS",
            "Models that may stand in: provider/model[,...]; the cheapest is asked first")
      .text("--time-zone", &Arguments::time_zone, "ZONE",
            "Where its days begin, like Europe/Berlin; else its owner's")
      .example("claviger budget set --scope owner:me --limit 5.00 --per month");
  leaf(budget, "list", "List budgets and how they stand", budget_list);
  leaf(budget, "show", "One budget: limit, spent, held, unconfirmed, left", budget_show)
      .positional("id", "Its id, e.g. bud_1", row_id("bud"));
  leaf(budget, "forecast", "How fast it is spent, and when it is used up at this pace",
       budget_forecast)
      .positional("id", "Its id, e.g. bud_1", row_id("bud"));
  leaf(budget, "remove", "Remove a budget; what was spent stays on record", budget_remove)
      .positional("id", "Its id, e.g. bud_1", row_id("bud"));
  leaf(budget, "uncertain", "Requests whose cost no bill has confirmed, the oldest 1000",
       budget_uncertain);
  leaf(budget, "confirm-clock", "Say that the server's clock is right after it jumped",
       budget_confirm_clock);
  leaf(budget, "reconcile", "Correct a request's cost from the provider's bill", budget_reconcile)
      .positional("request", "The request's id", check_request_id)
      .text("--cost", &Arguments::cost_usd, "USD", "What it really cost", Need::required,
            check_amount)
      .number("--attempt", &Arguments::attempt, "Which attempt, where there were several", 1,
              1'000'000)
      .text("--reason", &Arguments::reason, "TEXT", "Which bill, for those who look later");
  leaf(budget, "correct", "Say that a request cost something else: a refund, a wrong price",
       budget_correct)
      .positional("request", "The request's id", check_request_id)
      .text("--cost", &Arguments::cost_usd, "USD", "What it cost in the end", Need::required,
            check_amount)
      .text("--kind", &Arguments::correction_kind, "KIND", "refund, wrong-price, bill or other",
            Need::required, check_correction_kind)
      .text("--reason", &Arguments::reason, "TEXT", "Why, in one line; it is kept for good",
            Need::required)
      .number("--attempt", &Arguments::attempt, "Which attempt, where there were several", 1,
              1'000'000)
      .example(
          "claviger budget correct REQUEST_ID --cost 0.10 --kind refund --reason \"credit 17\"");
  leaf(budget, "corrections", "Costs that were corrected, and why; the latest first",
       budget_corrections)
      .text("--owner", &Arguments::owner, "NAME", "Only of this owner's requests")
      .text("--since", &Arguments::since, "WHEN", "A date, a time, or a span: 24h, 7d",
            Need::optional, check_moment)
      .number("--last", &Arguments::last, "How many (50)", 1, 1000);
}

void Grammar::declare_alerts() {
  const auto is_alert = [](const std::string& text) {
    return alert::is_alert_id(text) ? std::string()
                                    : "this is no alert's id; \"claviger alert list\" shows them";
  };
  CLI::App& alert = group("alert", "Alerts: what you are warned of, and how you hear of it");
  leaf(alert, "list", "List alerts, the newest first", alert_list)
      .flag("--open", &Arguments::only_open, "Only those that nobody has acknowledged")
      .flag("--dead", &Arguments::only_dead, "Only those with a delivery that was given up")
      .text("--owner", &Arguments::owner, "NAME", "Only this owner's")
      .number("--last", &Arguments::last, "How many (50)", 1, 1000);
  leaf(alert, "show", "One alert, and what became of its deliveries", alert_show)
      .positional("id", "Its id, e.g. alr_01J…", is_alert);
  leaf(alert, "ack", "Say that it is in hand", alert_ack).positional("id", "Its id", is_alert);
  leaf(alert, "retry", "Deliver again what was not delivered", alert_retry)
      .positional("id", "Its id", is_alert);
  CLI::App& channel = group(alert, "channel", "Where alerts go");
  leaf(channel, "add", "Send alerts to a webhook or a mail address", alert_channel_add)
      .positional("kind", "webhook or mail",
                  [](const std::string& text) {
                    return text == "webhook" || text == "mail" ? std::string()
                                                               : "write webhook or mail";
                  })
      .text("--url", &Arguments::webhook_url, "URL",
            "Of a webhook: takes signed POST requests; its secret is shown once")
      .text("--to", &Arguments::mail_to, "ADDRESS", "Of mail; see [mail] in claviger.toml")
      .text("--owner", &Arguments::owner, "NAME", "Only what concerns this owner; else everything")
      .at_most_one_of({{"--url", "--to"}})
      .example("claviger alert channel add webhook --url https://example.com/hooks/claviger");
  leaf(channel, "list", "List channels", alert_channel_list);
  leaf(channel, "test", "Send a test message, and say whether it was taken", alert_channel_test)
      .positional("id", "Its id, e.g. chn_1", row_id("chn"));
  leaf(channel, "remove", "Send nothing there any more, and forget its secret",
       alert_channel_remove)
      .positional("id", "Its id, e.g. chn_1", row_id("chn"));
}

void Grammar::declare_requests() {
  leaf(app_, "usage", "What was used and what it cost", usage_show)
      .text("--by", &Arguments::by, "GROUP",
            "model (the default), app, owner, credential, user, day", Need::optional,
            check_grouping)
      .text("--owner", &Arguments::owner, "NAME", "Only this owner's")
      .text("--since", &Arguments::since, "WHEN", "2026-01-31, 2026-01-31T10:00:00Z or 7d",
            Need::optional, check_moment)
      .example("claviger usage --by day --since 30d");
  leaf(app_, "weather", "How providers do at the moment, from what requests met", weather_show);
  leaf(app_, "requests", "List the latest requests", requests_list)
      .flag("--failed", &Arguments::failed_only, "Only those that failed")
      .number("--last", &Arguments::last, "How many (50)", 1, 1000)
      .text("--owner", &Arguments::owner, "NAME", "Only this owner's")
      .text("--since", &Arguments::since, "WHEN", "2026-01-31, 2026-01-31T10:00:00Z or 7d",
            Need::optional, check_moment);
  leaf(app_, "request", "Everything about one request", request_show)
      .positional("id", "Its id, from the header x-claviger-request-id", check_request_id);
  leaf(app_, "diagnose", "Why a request failed, and what to do", diagnose)
      .positional("id", "Its id, from the header x-claviger-request-id", check_request_id)
      .flag("--probe", &Arguments::is_probing,
            "Ask free and cheap questions that tell suspects apart, for a cent at most")
      .text("--replay", &Arguments::replay, "MODEL",
            "Send the same request to another model; its content must be kept")
      .flag("--share", &Arguments::is_shared,
            "Make a page for support, without prompts, keys and names")
      .text("--expires", &Arguments::expires, "WHEN", "Until when the page can be seen (7d)",
            Need::optional, check_moment)
      .at_most_one_of({{"--share", "--replay"}})
      .example("claviger diagnose req_01JD3QJ7RZ5W1Y8XN2V4T6K9MA --probe");
  CLI::App& share = group("share", "Pages for support that others can see");
  leaf(share, "list", "List the pages that can be seen", share_list);
  leaf(share, "revoke", "Take a page back at once", share_revoke)
      .positional("id", "Its id, e.g. shr_1", row_id("shr"));
  leaf(app_, "chat", "Ask a model through the running server, and see what it cost", chat)
      .text("--model", &Arguments::model, "MODEL", "provider/model or local/NAME", Need::required)
      .text("--key-env", &Arguments::key_env, "VARIABLE", "Where the virtual key is (CLAVIGER_KEY)",
            Need::optional, check_variable)
      .number("--max-tokens", &Arguments::output_tokens_max, "Bound the answer", 1, 1'000'000)
      .positional("prompt", "What to ask; else standard input", {}, Need::optional)
      .no_key_argument()
      .example("claviger chat --model local/smollm2-135m-instruct \"What is a key-bearer?\"");
}

void Grammar::declare_catalog() {
  CLI::App& catalog = group("catalog", "Models and prices that Claviger knows");
  leaf(catalog, "show", "One model: price, context, source", catalog_show)
      .positional("model", "provider/model");
  leaf(catalog, "search", "Find models by a part of their name", catalog_search)
      .positional("word", "Part of provider/model");
  leaf(app_, "estimate", "What a request on standard input can cost, and probably will", estimate)
      .text("--model", &Arguments::model, "ID", "provider/model", Need::required)
      .flag("--embeddings", &Arguments::is_embedding, "It asks for embeddings, not for a chat")
      .example("claviger estimate --model openai/gpt-4o-mini < request.json");
  leaf(app_, "price", "What an answer on standard input cost, line by line", price_answer)
      .text("--provider", &Arguments::provider, "ID", "openai, openrouter, …")
      .text("--model", &Arguments::model, "ID", "The model, as the provider calls it")
      .text("--batch", &Arguments::batch_file, "FILE",
            "Cases as JSON lines with id, provider, model, dialect, body; - is standard input")
      .example("claviger price --provider openai --model gpt-4o-mini < answer.json");
}

void Grammar::declare_faults() {
  CLI::App& fault = group("fault", "Whose fault a failure is");
  leaf(fault, "classify", "Judge an error of a provider: who has to act, and does it help to retry",
       fault_classify)
      .text("--provider", &Arguments::provider, "ID", "openai, anthropic, gemini, …")
      .number("--status", &Arguments::status, "The HTTP status", 100, 999)
      .text("--body-file", &Arguments::file, "FILE", "The answer's body; - is standard input")
      .texts("--header", &Arguments::headers, "HEADER", "\"retry-after: 20\"; may be repeated")
      .text("--batch", &Arguments::batch_file, "FILE",
            "Failures as JSON, one a line; one verdict a line comes out; - is standard input")
      .at_most_one_of({{"--batch", "--status"}, {"--batch", "--body-file"}})
      .example("claviger fault classify --provider openai --status 429 --body-file error.json");
}

std::string default_home() {
  if (const char* const home = std::getenv("CLAVIGER_HOME"); home != nullptr && *home != '\0') {
    return home;
  }
  const char* const user = std::getenv("HOME");
  return user == nullptr || *user == '\0' ? std::string() : std::string(user) + "/.claviger";
}

GrammarResult Grammar::parse(int argc, const char* const* argv) {
  GrammarResult result;
  try {
    app_.parse(argc, const_cast<char**>(argv));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      std::ostringstream out;
      std::ostringstream ignored;
      app_.exit(error, out, ignored);
      result.to_stdout = out.str();
      return result;
    }
    result.status = kWrongUsage;
    const CLI::App* named = &app_;
    while (!named->get_subcommands().empty()) named = named->get_subcommands().front();
    const std::string path = named == &app_ ? std::string() : " " + path_of(*named);
    const std::vector<std::string> unknown = app_.remaining(true);
    const bool lacks_command = named->get_require_subcommand_min() > 0;
    const std::string what =
        lacks_command && !unknown.empty()
            ? fmt::format("there is no command \"{}\"", printable(unknown.front()))
            : std::string(error.what());
    result.to_stderr = fmt::format("claviger: {}\nSee: claviger{} --help", what, path);
    return result;
  }
  const std::string home = home_.empty() ? default_home() : home_;
  if (home.empty()) {
    result.status = kWrongUsage;
    result.to_stderr = "claviger: no home is known; name it with --home or CLAVIGER_HOME";
    return result;
  }
  for (const Known& known : known_) {
    if (!known.app->parsed()) continue;
    result.parsed = ParsedCommand{
        .command = known.command,
        .path = known.path,
        .arguments = arguments_,
        .place = {.home = std::filesystem::absolute(home).lexically_normal(), .url = url_},
        .as_json = as_json_};
  }
  return result;
}

std::vector<CommandDescription> Grammar::describe() const {
  std::vector<CommandDescription> descriptions;
  for (const Known& known : known_) {
    CommandDescription description{
        .path = known.path, .what = known.app->get_description(), .options = {}};
    for (const CLI::Option* const option : static_cast<const CLI::App*>(known.app)->get_options()) {
      if (option->get_group().empty() || option->get_lnames().empty()) continue;
      if (option->get_lnames().front() != "help") {
        description.options.push_back("--" + option->get_lnames().front());
      }
    }
    descriptions.push_back(std::move(description));
  }
  return descriptions;
}

}  // namespace

GrammarResult parse_command_line(int argc, const char* const* argv) {
  return Grammar().parse(argc, argv);
}

std::vector<CommandDescription> describe_commands() {
  return Grammar().describe();
}

}  // namespace claviger::cli
