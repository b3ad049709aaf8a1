#include "server/server.h"

#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <future>
#include <latch>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "alert/alerts.h"
#include "alert/watched_records.h"
#include "base/quiet_thread.h"
#include "budget/journal_ledger.h"
#include "console/control.h"
#include "deliver/channels.h"
#include "fault/rules.h"
#include "local/runner_supervisor.h"
#include "net/resolver.h"
#include "server/doctor.h"
#include "server/errand_desk.h"
#include "server/front_door.h"
#include "server/heap_trimmer.h"
#include "server/home.h"
#include "server/mail_setting.h"
#include "server/root_key_setting.h"
#include "server/worker.h"
#include "store/sqlite/access_store.h"
#include "store/sqlite/alert_store.h"
#include "store/sqlite/alias_store.h"
#include "store/sqlite/budget_store.h"
#include "store/sqlite/content_store.h"
#include "store/sqlite/database.h"
#include "store/sqlite/egress_allowance_store.h"
#include "store/sqlite/end_user_store.h"
#include "store/sqlite/feedback_store.h"
#include "store/sqlite/key_history_store.h"
#include "store/sqlite/lease_store.h"
#include "store/sqlite/ledger_store.h"
#include "store/sqlite/local_model_store.h"
#include "store/sqlite/price_store.h"
#include "store/sqlite/record_store.h"
#include "store/sqlite/shared_page_store.h"
#include "store/sqlite/vault_store.h"
#include "vault/process_hardening.h"
#include "vault/root_key_rotation.h"

namespace claviger::server {
namespace {

using store::Database;

std::unexpected<std::string> problem(std::string message) {
  return std::unexpected(std::move(message));
}

/// How many groups of the journal may become one where they are large.
constexpr int kBusyGroups = 4;

/// The databases: one connection for each thread that uses one.
struct Databases {
  Database control;
  Database records;
  Database ledger;

  static std::expected<std::unique_ptr<Databases>, std::string> open(const HomePaths& paths) {
    const auto open_one = [&](store::Durability durability) {
      return Database::open(paths.database(), Database::Mode::read_write, durability);
    };
    auto control = open_one(store::Durability::power_cut);
    if (!control) return problem(explain(paths, control.error()));
    if (auto migrated = store::migrate(*control); !migrated) {
      return problem(explain(paths, migrated.error()));
    }
    // Records hang no money: a power cut may take the last of them.
    auto records = open_one(store::Durability::process_crash);
    if (!records) return problem(explain(paths, records.error()));
    auto ledger = open_one(store::Durability::power_cut);
    if (!ledger) return problem(explain(paths, ledger.error()));
    return std::unique_ptr<Databases>(
        new Databases{std::move(*control), std::move(*records), std::move(*ledger)});
  }

 private:
  static std::string explain(const HomePaths& paths, const store::DatabaseError& error) {
    return "the database " + paths.database().string() + " cannot be used: " + error.message;
  }
};

/// Everything that runs, in the order in which it is made; destroyed in reverse.
/// Names this run of the kernel. Empty where it cannot be read: then a crash counts as a power cut.
std::string boot_id() {
  std::ifstream in("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(in, id);
  return id;
}

class Server final : public ControlDesk, public console::Operations, public relay::History {
 public:
  Server(HomePaths paths, Config config, const ServeOptions& options)
      : paths_(std::move(paths)), config_(std::move(config)), options_(options) {}
  ~Server() override { shut_down(); }

  std::expected<void, std::string> start() {
    // Beside all else, so that a start takes no longer for it.
    rules_read_ = std::async(std::launch::async, &Server::read_rules);
    using Step = std::expected<void, std::string> (Server::*)();
    for (const Step step :
         {&Server::take_home, &Server::open_stores, &Server::open_vault, &Server::open_ledger,
          &Server::start_runner, &Server::start_network, &Server::start_alerts,
          &Server::start_control, &Server::await_rules, &Server::start_workers}) {
      if (auto done = (this->*step)(); !done) return done;
    }
    is_ready_ = true;
    return {};
  }

  /// Waits for signals until the server is to end.
  void run() {
    sigset_t signals;
    fill_signals(signals);
    HeapTrimmer heap;
    for (;;) {
      const timespec a_second{.tv_sec = 1, .tv_nsec = 0};
      const int signal = sigtimedwait(&signals, nullptr, &a_second);
      if (signal < 0) {
        heap.look(clock_.now());
        continue;
      }
      if (signal != SIGHUP) {
        spdlog::info("{} was received; no new requests are taken",
                     signal == SIGTERM ? "SIGTERM" : "SIGINT");
        return;
      }
      control_reactor_->post([this] {
        const auto changes = reload_config();
        if (!changes) spdlog::error("the settings were not changed: {}", changes.error());
      });
    }
  }

  static void fill_signals(sigset_t& signals) {
    sigemptyset(&signals);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  }

  /// Lets running requests finish, within the drain time; then everything ends in order.
  void shut_down() {
    if (!control_reactor_) return;
    is_ready_ = false;
    for (auto& worker : workers_) worker->drain();
    const Instant until = clock_.now() + drain_time_max_.load();
    wait_for_connections(until);
    if (open_connections() > 0) {
      spdlog::warn("{} connections are broken off after {} s", open_connections(),
                   drain_time_max_.load().count());
      for (auto& worker : workers_) worker->cancel_all();
      wait_for_connections(clock_.now() + std::chrono::seconds(2));
    }
    // The control thread first: it waits for workers when it publishes.
    control_reactor_->stop();
    if (control_thread_.joinable()) control_thread_.join();
    for (auto& worker : workers_) worker->stop();
    ::unlink(paths_.control_socket().c_str());
    // Whoever has threads that wake up reactors goes before the reactors.
    mailer_.reset();
    runner_.reset();
    resolver_.reset();
    control_.reset();
    errand_desk_.reset();
    ledger_in_front_.reset();
    ledger_.reset();    // Folds what is in the journal.
    recorder_.reset();  // Writes what is queued.
    control_door_.reset();
    control_listener_.reset();
    workers_.clear();
    egress_.reset();
    control_reactor_.reset();
  }

  std::vector<std::string> addresses() const {
    const std::string scheme = config_.tls_certificate.empty() ? "http://" : "https://";
    const bool is_v6 = config_.listen.host.find(':') != std::string::npos;
    return {scheme + (is_v6 ? "[" + config_.listen.host + "]" : config_.listen.host) + ":" +
            std::to_string(config_.listen.port)};
  }

  // ControlDesk, on connection threads.
  Task<std::expected<std::string, access::AccessError>> recognise(Secret presented) override {
    Executor& home = *Executor::current();
    co_await resume_on{*control_reactor_};
    auto who = control_->recognise_admin(presented.reveal());
    co_await resume_on{home};
    co_return who;
  }
  Task<console::ControlAnswer> handle(console::ControlRequest request) override {
    Executor& home = *Executor::current();
    co_await resume_on{*control_reactor_};
    console::ControlAnswer answer = co_await control_->handle(std::move(request));
    co_await resume_on{home};
    co_return answer;
  }
  Task<Events> events_after(std::optional<std::int64_t> number) override {
    Executor& home = *Executor::current();
    co_await resume_on{*control_reactor_};
    Events found{.newest = number ? 0 : control_->newest_event(), .events = {}};
    if (number) found.events = control_->events_after(*number);
    co_await resume_on{home};
    co_return found;
  }
  Task<std::optional<std::string>> shared_page(std::string token) override {
    Executor& home = *Executor::current();
    co_await resume_on{*control_reactor_};
    auto page = control_->shared_page(token);
    co_await resume_on{home};
    co_return page;
  }
  bool is_ready() const override { return is_ready_; }
  void refresh(record::Metrics& metrics) override {
    metrics.set_records_lost(recorder_->records_lost());
    metrics.set_contents_lost(contents_->contents_lost());
  }

  // relay::History, on connection threads.
  Task<record::Result<relay::PastRequest>> find(RequestId id) override {
    Executor& home = *Executor::current();
    co_await resume_on{*control_reactor_};
    (void)recorder_->flush();  // What the store does not take now is not found now.
    auto found = look_up(id);
    co_await resume_on{home};
    co_return found;
  }
  Task<record::Result<void>> keep(record::Feedback feedback) override {
    Executor& home = *Executor::current();
    co_await resume_on{*control_reactor_};
    auto kept = feedback_store_->put(feedback);
    co_await resume_on{home};
    co_return kept;
  }

  // console::Operations, on the control thread.
  std::expected<std::vector<std::string>, std::string> reload_config() override {
    auto next = read_config(paths_.config());
    if (!next) return problem(next.error());
    auto mail = read_mail_settings(next->mail);
    if (!mail) return problem(mail.error());
    mailer_->set_settings(std::move(*mail));
    std::vector<std::string> changes = describe_changes(config_, *next);
    config_.mail = next->mail;
    config_.caller = next->caller;
    config_.provider = next->provider;
    for (auto& worker : workers_) worker->set_limits(next->caller, next->provider);
    errand_desk_->set_limits(next->caller, next->provider);
    drain_time_max_ = next->drain_time_max;
    config_.egress_allow = next->egress_allow;
    config_.log_level = next->log_level;
    set_log_level(config_.log_level);
    publish_egress();
    for (const std::string& change : changes) spdlog::info("setting changed: {}", change);
    return changes;
  }
  std::expected<void, std::string> check_config() override {
    const auto config = read_config(paths_.config());
    if (!config) return problem(config.error());
    return {};
  }
  std::expected<void, std::string> backup_to(const std::string& file) override {
    // What is in the journal and in the queue alone would be missing from the file.
    if (!ledger_->fold_now() || !recorder_->flush()) {
      return problem(
          "there is no backup: the database does not take the newest entries; `claviger doctor` "
          "says why");
    }
    if (auto done = databases_->control.backup_to(file); !done) {
      return problem("the backup to " + file + " failed: " + done.error().message);
    }
    return {};
  }
  std::expected<void, std::string> rotate_root_key() override {
    if (config_.root_key != "file") {
      return problem("the root key comes from \"" + config_.root_key +
                     "\" and is kept by the operator; only a root key in a file can be rotated "
                     "here");
    }
    const auto done =
        vault::rotate_root_key(paths_.root_key().string(), *vault_, vault::make_root_key_file);
    if (!done) return problem(done.error().message);
    return {};
  }
  void confirm_clock() override { ledger_->confirm_clock(); }
  bool are_keys_disabled() override { return std::filesystem::exists(paths_.keys_disabled()); }
  std::expected<void, std::string> confirm_keys() override {
    std::error_code error;
    std::filesystem::remove(paths_.keys_disabled(), error);
    if (error) return problem("cannot remove " + paths_.keys_disabled().string());
    return {};
  }
  std::vector<console::Finding> examine() override {
    return examine_installation({.paths = paths_,
                                 .config = config_,
                                 .vault = *vault_,
                                 .database = databases_->control,
                                 .runner = *runner_,
                                 .ledger = *ledger_,
                                 .records_lost = recorder_->records_lost(),
                                 .contents_lost = contents_->contents_lost()});
  }
  Status status() override {
    return {.version = CLAVIGER_VERSION,
            .home = paths_.root.string(),
            .listening = addresses(),
            .started_at = started_at_,
            .process_id = getpid(),
            .open_connections = static_cast<std::int64_t>(open_connections())};
  }

  static void set_log_level(const std::string& level) {
    spdlog::set_level(spdlog::level::from_str(level == "warning" ? "warn" : level));
  }

 private:
  record::Result<relay::PastRequest> look_up(RequestId id) {
    auto found = control_records_->find(id);
    if (!found) return std::unexpected(found.error());
    auto feedback = feedback_store_->find(id);
    if (!feedback) return std::unexpected(feedback.error());
    return relay::PastRequest{.record = std::move(*found), .feedback = std::move(*feedback)};
  }

  std::expected<void, std::string> take_home() {
    if (auto checked = check_home(paths_); !checked) return checked;
    auto lock = HomeLock::take(paths_);
    if (!lock) return problem(lock.error());
    lock_.emplace(std::move(*lock));
    return {};
  }

  std::expected<void, std::string> open_stores() {
    auto databases = Databases::open(paths_);
    if (!databases) return problem(databases.error());
    databases_ = std::move(*databases);
    access_store_.emplace(databases_->control);
    vault_store_.emplace(databases_->control);
    budget_store_.emplace(databases_->control);
    price_store_.emplace(databases_->control);
    alias_store_.emplace(databases_->control);
    alert_store_.emplace(databases_->control);
    local_model_store_.emplace(databases_->control);
    egress_store_.emplace(databases_->control);
    control_records_.emplace(databases_->control);
    feedback_store_.emplace(databases_->control);
    content_store_.emplace(databases_->control);
    shared_page_store_.emplace(databases_->control);
    written_records_.emplace(databases_->records);
    ledger_store_.emplace(databases_->ledger);
    end_user_store_.emplace(databases_->ledger);
    lease_store_.emplace(databases_->ledger);
    weather_watched_records_.emplace(*written_records_, weather_);
    key_history_store_.emplace(databases_->control);
    written_key_histories_.emplace(databases_->records);
    if (auto histories = key_history_store_->all()) keys_.learn(std::move(*histories));
    key_watched_records_.emplace(*weather_watched_records_, keys_, *written_key_histories_);
    alert_watched_records_.emplace(*key_watched_records_, found_in_records_);
    std::vector<OwnerId> owners;
    if (const auto all = access_store_->owners()) {
      for (const access::Owner& owner : *all) owners.push_back(owner.id);
    }
    alert_watched_records_->learn_from_store(owners, clock_.wall_now());
    recorder_ =
        std::make_unique<record::Recorder>(*alert_watched_records_, record::Recorder::Options{});
    return {};
  }

  std::expected<void, std::string> open_vault() {
    auto root = read_root_key(config_.root_key, paths_, *vault_store_);
    if (!root) return problem(root.error());
    vault_ = std::make_unique<vault::Vault>(*vault_store_, std::move(*root));
    // The data key of contents that owners have stored; changing the root key wraps it anew.
    auto key = vault_->named_secret("kept-content-key", vault::ContentBox::kKeyBytes);
    if (!key) {
      return problem("the key of kept contents cannot be read from the vault. " +
                     std::string(vault::explain(key.error())));
    }
    contents_ = std::make_unique<record::ContentKeeper>(clock_, *content_store_,
                                                        vault::ContentBox(std::move(*key)));
    return {};
  }

  std::expected<void, std::string> open_ledger() {
    budget::JournalLedgerConfig ledger;
    ledger.journal.folder = paths_.journal();
    ledger.journal.group_every = config_.group_commit;
    // Nobody waits for the disk, so under load it is asked less often.
    if (config_.durability == budget::Durability::fast) {
      ledger.journal.busy_group_every = kBusyGroups * config_.group_commit;
    }
    ledger.durability = config_.durability;
    ledger.end_users = &*end_user_store_;
    ledger.leases = &*lease_store_;
    ledger.boot_id = boot_id();
    ledger.end_users_max = config_.end_users_max;
    auto opened = budget::JournalLedger::open(clock_, *ledger_store_, std::move(ledger));
    if (!opened) return problem(opened.error());
    ledger_ = std::move(*opened);
    if (options_.ledger_for_requests) ledger_in_front_ = options_.ledger_for_requests(*ledger_);
    return {};
  }

  std::expected<void, std::string> start_runner() {
    const auto sandbox =
        local::parse_sandbox_policy(config_.sandbox, config_.sandbox_allow_missing);
    if (!sandbox) return problem(sandbox.error());
    local::RunnerSettings settings;
    settings.run_folder = paths_.run();
    settings.runner_path = config_.runner_path;
    settings.sandbox = *sandbox;
    settings.tuning = config_.runner_tuning;
    settings.limits = config_.runner_limits;
    runner_ = std::make_unique<local::RunnerSupervisor>(std::move(settings), clock_);
    return {};
  }

  std::expected<void, std::string> start_network() {
    control_reactor_ = std::make_unique<net::Reactor>(clock_);
    resolver_ = std::make_unique<net::Resolver>(clock_);
    auto provider_tls = net::TlsContext::for_providers();
    if (!provider_tls) return problem(provider_tls.error());
    egress_ = std::make_unique<net::Egress>(*resolver_, *provider_tls);
    if (!config_.tls_certificate.empty()) {
      auto tls = net::TlsContext::for_listener(config_.tls_certificate, config_.tls_key);
      if (!tls) return problem(tls.error());
      listener_tls_ = std::move(*tls);
    }
    if (auto is_free = net::Listener::check_free(config_.listen); !is_free) return is_free;
    const std::size_t cores = std::max(1u, std::thread::hardware_concurrency());
    const std::size_t count = config_.threads == 0 ? cores : config_.threads;
    for (std::size_t i = 0; i < count; ++i) {
      workers_.push_back(std::make_unique<Worker>(Worker::Parts{
          .clock = clock_,
          .egress = *egress_,
          .ledger = ledger_in_front_ ? *ledger_in_front_ : *ledger_,
          .recorder = *recorder_,
          .metrics = metrics_,
          .runner = runner_.get(),
          .history = this,
          .failures = &failures_,
          .keys = &keys_,
          .health = &health_,
          .contents = contents_.get(),
          .desk = *this,
          .events = events_,
          .tls = listener_tls_,
          .connections_max = std::max<std::size_t>(1, config_.connections_max / count),
          .caller_limits = config_.caller,
          .bodies = bodies_,
          .provider_limits = config_.provider,
          .only_local_names = net::is_loopback(config_.listen) && !config_.behind_tls_proxy}));
      const auto port = workers_.back()->listen(config_.listen);
      if (!port) return problem(port.error());
      config_.listen.port = *port;  // Port 0: the others take the one that the first was given.
    }
    return {};
  }

  std::expected<void, std::string> start_alerts() {
    auto mail = read_mail_settings(config_.mail);
    if (!mail) return problem(mail.error());
    webhooks_.emplace(clock_, *control_reactor_, *egress_, *vault_);
    mailer_ = std::make_unique<deliver::Mailer>(clock_, *egress_);
    mailer_->set_settings(std::move(*mail));
    channels_.emplace(*webhooks_, *mailer_);
    alerts_.emplace(alert::Alerts::Parts{.clock = clock_,
                                         .store = *alert_store_,
                                         .ledger = *ledger_,
                                         .deliverer = *channels_,
                                         .inbox = found_in_records_,
                                         .take_crossed = [this] { return take_crossed(); },
                                         .on_alert = [this] { events_.tell(); },
                                         .on_passed =
                                             [this](const auto& passed) {
                                               for (auto& worker : workers_)
                                                 worker->set_passed(passed);
                                             },
                                         .jitter_seed = std::random_device{}()});
    alerts_->start();
    return {};
  }

  /// What the ledger noted since the last look. Where it had to drop some, the sweep of all
  /// balances makes up for it.
  std::vector<alert::Crossed> take_crossed() {
    std::vector<alert::Crossed> crossed;
    for (const budget::Crossing& one : ledger_->crossings().take().crossings) {
      crossed.push_back({one.budget, one.period_start, one.percent});
    }
    return crossed;
  }

  /// On the control thread, for good.
  Task<void> keep_watch() {
    for (;;) {
      co_await control_reactor_->sleep_until(control_reactor_->after(std::chrono::seconds(1)));
      co_await alerts_->tick();
      // What it does not delete now it deletes a second later; nobody can see it any more.
      (void)shared_page_store_->remove_expired(clock_.wall_now());
      if (const auto kept = contents_->tick(); !kept && !std::exchange(content_trouble_, true)) {
        spdlog::error("kept contents cannot be written or deleted; `claviger doctor` says why");
      } else if (kept) {
        content_trouble_ = false;
      }
    }
  }

  std::expected<void, std::string> start_control() {
    auto opened =
        net::Listener::open(*control_reactor_, {.unix_path = paths_.control_socket().string()});
    if (!opened) return problem(opened.error());
    control_listener_ = std::move(*opened);
    errand_desk_ = std::make_unique<ErrandDesk>(
        ErrandDesk::Parts{.reactor = *control_reactor_,
                          .egress = *egress_,
                          .ledger = ledger_in_front_ ? *ledger_in_front_ : *ledger_,
                          .recorder = *recorder_,
                          .metrics = metrics_,
                          .runner = runner_.get(),
                          .failures = &failures_,
                          .keys = &keys_,
                          .health = &health_,
                          .bodies = bodies_},
        config_.caller, config_.provider);
    control_ = std::make_unique<console::Control>(console::Control::Parts{
        .clock = clock_,
        .access = *access_store_,
        .vault = *vault_,
        .budgets = *budget_store_,
        .ledger = *ledger_,
        .prices = *price_store_,
        .aliases = *alias_store_,
        .alerts = *alerts_,
        .local_models = *local_model_store_,
        .egress_allowances = *egress_store_,
        .records = *control_records_,
        .feedback = *feedback_store_,
        .contents = *contents_,
        .shares = *shared_page_store_,
        .weather = weather_,
        .keys = keys_,
        .key_histories = *key_history_store_,
        .recorder = *recorder_,
        .book = catalog::PriceBook::embedded(),
        .profiles = provider::Profiles::embedded(),
        .runner = runner_.get(),
        .egress = *egress_,
        .errands = errand_desk_.get(),
        .operations = *this,
        .publish = [this](auto world, auto allowances, auto models) {
          publish(std::move(world), std::move(allowances), std::move(models));
        }});
    control_door_.emplace(FrontDoor::Parts{.reactor = *control_reactor_,
                                           .relay = nullptr,
                                           .desk = *this,
                                           .events = events_,
                                           .metrics = metrics_,
                                           .tls = nullptr,
                                           .connections_max = 64,
                                           .limits = config_.caller,
                                           .bodies = bodies_,
                                           .who = FrontDoor::Who::operator_});
    return {};
  }

  /// What failures are judged by. The first request that fails must not wait for them, nor the
  /// others on its thread.
  static std::expected<void, std::string> read_rules() {
    try {
      fault::RuleBook::embedded();
      return {};
    } catch (const std::exception& broken) {
      return problem(std::string("this build's rules for failures cannot be read, so it cannot "
                                 "serve; install another build: ") +
                     broken.what());
    }
  }
  std::expected<void, std::string> await_rules() { return rules_read_.get(); }

  std::expected<void, std::string> start_workers() {
    // The first snapshot is published while the workers run, so they are started first and
    // their listeners accept only once they have it.
    for (auto& worker : workers_) worker->start();
    if (auto started = control_->start(); !started) return started;
    for (auto& worker : workers_) worker->open();
    control_thread_ = quiet_thread("control", [this] {
      wipe_what_this_thread_frees();
      control_reactor_->post([this] {
        spawn(keep_watch());
        spawn(control_listener_->run([this](net::Stream stream) {
          if (is_trusted_peer(stream.socket().fd())) control_door_->admit(std::move(stream));
        }));
      });
      control_reactor_->run();
    });
    return {};
  }

  /// Only the user that runs the server, and root, may give it orders without a key.
  static bool is_trusted_peer(int fd) {
    ucred peer{};
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return false;
    return peer.uid == geteuid() || peer.uid == 0;
  }

  void publish(std::shared_ptr<const relay::Snapshot> world,
               std::vector<net::EgressAllowance> allowances,
               std::vector<local::LocalModel> models) {
    credential_allowances_ = std::move(allowances);
    publish_egress();
    runner_->set_models(std::move(models));
    errand_desk_->set_world(world);
    std::latch all_have_it(static_cast<std::ptrdiff_t>(workers_.size()));
    for (auto& worker : workers_) {
      worker->set_world(world, [&all_have_it] { all_have_it.count_down(); });
    }
    all_have_it.wait();
  }

  void publish_egress() {
    auto policy = std::make_shared<net::EgressPolicy>();
    policy->allow = config_.egress_allow;
    policy->allow.insert(policy->allow.end(), credential_allowances_.begin(),
                         credential_allowances_.end());
    policy->own_ports = {config_.listen.port};
    egress_->set_policy(std::move(policy));
  }

  std::size_t open_connections() const {
    std::size_t count = 0;
    for (const auto& worker : workers_) count += worker->open_connections();
    return count;
  }
  void wait_for_connections(Instant until) {
    while (open_connections() > 0 && clock_.now() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  HomePaths paths_;
  Config config_;
  const ServeOptions& options_;
  SystemClock clock_;
  const WallTime started_at_ = clock_.wall_now();
  std::optional<HomeLock> lock_;
  std::unique_ptr<Databases> databases_;
  std::optional<store::SqliteAccessStore> access_store_;
  std::optional<store::SqliteVaultStore> vault_store_;
  std::optional<store::SqliteBudgetStore> budget_store_;
  std::optional<store::SqliteOwnerPriceStore> price_store_;
  std::optional<store::SqliteAliasStore> alias_store_;
  std::optional<store::SqliteAlertStore> alert_store_;
  std::optional<store::SqliteLocalModelStore> local_model_store_;
  std::optional<store::SqliteEgressAllowanceStore> egress_store_;
  std::optional<store::SqliteRecordStore> control_records_;
  std::optional<store::SqliteFeedbackStore> feedback_store_;
  std::optional<store::SqliteContentStore> content_store_;
  std::optional<store::SqliteSharedPageStore> shared_page_store_;
  std::optional<store::SqliteRecordStore> written_records_;
  std::optional<store::SqliteLedgerStore> ledger_store_;
  std::optional<store::SqliteEndUserStore> end_user_store_;
  std::optional<store::SqliteLeaseStore> lease_store_;
  std::unique_ptr<vault::Vault> vault_;
  std::unique_ptr<record::ContentKeeper> contents_;
  record::Metrics metrics_{{.version = CLAVIGER_VERSION, .revision = ""}};
  fault::FailureWindow failures_;
  relay::PlaceHealth health_;
  net::BodyMemory bodies_;
  record::Weather weather_;
  std::optional<record::WeatherWatchedRecords> weather_watched_records_;
  record::KeyHistories keys_;
  std::optional<store::SqliteKeyHistoryStore> key_history_store_;
  std::optional<store::SqliteKeyHistoryStore> written_key_histories_;
  std::optional<record::KeyWatchedRecords> key_watched_records_;
  alert::Inbox found_in_records_;
  std::optional<alert::WatchedRecords> alert_watched_records_;
  std::unique_ptr<record::Recorder> recorder_;
  std::unique_ptr<budget::JournalLedger> ledger_;
  std::unique_ptr<budget::Ledger> ledger_in_front_;
  std::unique_ptr<net::Reactor> control_reactor_;
  std::unique_ptr<net::Resolver> resolver_;
  std::unique_ptr<net::Egress> egress_;
  EventFeed events_;
  std::optional<deliver::Webhooks> webhooks_;
  std::unique_ptr<deliver::Mailer> mailer_;
  std::optional<deliver::Channels> channels_;
  std::optional<alert::Alerts> alerts_;
  std::shared_ptr<net::TlsContext> listener_tls_;
  std::unique_ptr<net::Listener> control_listener_;
  std::unique_ptr<ErrandDesk> errand_desk_;
  std::unique_ptr<console::Control> control_;
  std::optional<FrontDoor> control_door_;
  std::unique_ptr<local::RunnerSupervisor> runner_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<net::EgressAllowance> credential_allowances_;
  std::thread control_thread_;
  std::future<std::expected<void, std::string>> rules_read_;  ///< Its end waits for the reader.
  bool content_trouble_ = false;                              ///< The control thread's.
  std::atomic<std::chrono::seconds> drain_time_max_{config_.drain_time_max};
  std::atomic<bool> is_ready_{false};
};

int fail(std::string_view message) {
  std::fprintf(stderr, "claviger: %.*s\n", static_cast<int>(message.size()), message.data());
  return 1;
}

/// 10,000 connections need as many descriptors, twice where each has a provider's.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int serve(const ServeOptions& options) {
  // Before any key is read and any thread is started.
  vault::harden_process();
  raise_descriptor_limit();
  signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  Server::fill_signals(signals);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  spdlog::set_default_logger(spdlog::stderr_logger_mt("claviger"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  spdlog::flush_on(spdlog::level::info);

  const HomePaths paths(options.home);
  if (auto checked = check_home(paths); !checked) return fail(checked.error());
  auto config = read_config(paths.config());
  if (!config) return fail(config.error());
  if (options.listen) {
    auto address = net::parse_listen_address(*options.listen);
    if (!address) return fail(address.error());
    config->listen = *address;
  }
  if (options.behind_tls_proxy) config->behind_tls_proxy = true;
  if (auto whole = check_config(*config); !whole) return fail(whole.error());
  Server::set_log_level(config->log_level);

  Server server(paths, std::move(*config), options);
  if (auto started = server.start(); !started) return fail(started.error());
  for (const std::string& address : server.addresses()) {
    spdlog::info("Claviger {} listens on {}", CLAVIGER_VERSION, address);
  }
  server.run();
  server.shut_down();
  spdlog::info("Claviger has stopped");
  return 0;
}

}  // namespace claviger::server
