#pragma once

/// A request's way from its first byte to its settled cost. Read relay.cpp first: it is the
/// table of contents of everything else.

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "alert/budget_watch.h"
#include "api/dialect.h"
#include "base/task.h"
#include "budget/ledger.h"
#include "fault/neighbours.h"
#include "net/http/target.h"
#include "net/provider_exchange.h"
#include "net/provider_pool.h"
#include "net/server_connection.h"
#include "record/feedback.h"
#include "record/kept_content.h"
#include "record/key_histories.h"
#include "record/metrics.h"
#include "record/record.h"
#include "relay/credential_turns.h"
#include "relay/errand.h"
#include "relay/failure.h"
#include "relay/job.h"
#include "relay/limits.h"
#include "relay/place_health.h"
#include "relay/snapshot.h"
#include "route/runner.h"

namespace claviger::relay {

struct Address;
struct StreamState;
struct Surroundings;
class TranslatedStream;

struct PastRequest {
  record::Record record;
  std::optional<record::Feedback> feedback;
};

/// Looks up finished requests for the callers that made them. Implemented over the record
/// store; suspends, never blocks.
class History {
 public:
  virtual ~History() = default;
  virtual Task<record::Result<PastRequest>> find(RequestId id) = 0;
  /// Keeps what was said of a request; the last word counts. Errors: unavailable.
  virtual Task<record::Result<void>> keep(record::Feedback feedback) = 0;
};

/// One per reactor; serves the requests of that thread's connections. What it refers to is
/// owned by main() and outlives it.
class Relay {
 public:
  struct Parts {
    net::Reactor& reactor;
    net::ProviderPool& pool;
    budget::Ledger& ledger;
    record::Recorder& recorder;
    record::Metrics& metrics;
    route::Runner* runner;                      ///< Null: this build or machine runs no models.
    History* history;                           ///< Null: GET /v1/requests/{id} is not served.
    fault::FailureWindow* failures = nullptr;   ///< Of all threads; null: keys stand alone.
    record::ContentKeeper* contents = nullptr;  ///< Null: no content is kept.
    /// What each key did before; null: that is not known.
    const record::KeyHistories* keys = nullptr;
    PlaceHealth* health = nullptr;  ///< Of all threads; null: this one finds out for itself.
  };
  Relay(Parts parts, const Limits& limits);
  ~Relay();

  /// On the reactor's thread.
  void set_world(std::shared_ptr<const Snapshot> world) { world_ = std::move(world); }
  void set_draining() { is_draining_ = true; }
  /// On the reactor's thread: the budgets whose requests are told that they fill up.
  void set_passed(std::shared_ptr<const alert::PassedThresholds> passed) {
    passed_ = std::move(passed);
  }

  /// Whether `path` belongs to a surface that callers use (`/v1/…`, `/v1beta/…`).
  static bool serves(std::string_view path);

  /// Answers the request whose head `caller` has read. `target` is that head's.
  Task<void> serve(net::ServerConnection& caller, const net::http::Target& target);

  /// The same for a request in a caller's place; no key is read from its head.
  Task<void> serve_errand(net::ServerConnection& caller, const net::http::Target& target,
                          Errand errand);

 private:
  Task<void> serve_call(net::ServerConnection& caller, const net::http::Target& target,
                        const api::Dialect& dialect, Surface surface, std::optional<Errand> errand);
  Task<void> serve_models(net::ServerConnection& caller, const net::http::Target& target,
                          const api::Dialect& dialect);
  Task<void> serve_past_request(net::ServerConnection& caller, const net::http::Target& target,
                                const api::Dialect& dialect);
  Task<void> serve_feedback(net::ServerConnection& caller, const net::http::Target& target,
                            const api::Dialect& dialect);
  /// A past request of the key that asks; another key's does not exist as far as it can tell.
  Task<std::expected<PastRequest, Failure>> find_own(std::string_view id, VirtualKeyId asking);

  // Letting in (admit.cpp).
  std::expected<const access::VirtualKey*, Failure> recognise(const net::ServerConnection& caller,
                                                              const net::http::Target& target);
  // What is different for errands (errand.cpp).
  std::expected<const access::VirtualKey*, Failure> key_behind(const Errand& errand) const;
  static Done keep_to_credential(Job& job);
  static Done keep_to_amount(const Job& job);
  Done take_turn(Job& job);
  Task<Done> read_body(Job& job);
  Done understand(Job& job, const net::http::Target& target);
  Done take_from_path(Job& job, const net::http::Target& target);
  void take_turns(Job& job, route::Plan& plan);
  Done find_targets(Job& job);
  Done choose_place(Job& job);
  Done bound_cost(Job& job);
  Done check_is_bounded(const Job& job) const;
  static bool may_be_unbounded(const Job& job);
  /// Whether the model's tokenizer is certain and the request not too large to be worth it.
  bool may_count_exactly(const Job& job) const;
  /// Replaces the bound by one that counts the request's texts exactly, where that is lower.
  Task<void> count_exactly(Job& job);
  Failure refusal_of(const Job& job, const budget::Refusal& refusal) const;
  void clamp_output(Job& job);
  /// The definition that a budget of this request stands for: its own, or its rule's.
  static const budget::Budget* definition_of(const Job& job, BudgetId budget);
  /// Adds what rules say about the end user whom the application named.
  Task<Done> add_user_budgets(Job& job);
  /// Where the budget that refused downgrades: goes to the cheapest model on its list that has
  /// not been tried. False where there is none.
  bool downgrade(Job& job, const budget::Refusal& refusal);

  // Between dialects (translate.cpp).
  /// Reads the request into messages, and sees whether the target can express them.
  Done translate(Job& job);
  /// Writes them in the target's dialect, with the output bound that was held for.
  Done write_translated(Job& job);
  /// Of the caller's headers, those that the provider may see.
  Done take_forwarded_headers(Job& job);
  Task<Done> deliver_translated(Job& job, std::string_view body);
  Task<Done> deliver_replayed(Job& job, const exchange::Answer& answer);
  Task<Done> finish_translated(Job& job, TranslatedStream& stream);
  /// Counts tokens where the provider cannot: an estimate that says so.
  Task<Done> answer_estimate(Job& job);

  // Money, provider, answer.
  Task<Done> hold(Job& job);
  Task<budget::Result<budget::Grant>> reserve(const Job& job, budget::Patience* patience);
  Task<budget::Result<budget::Grant>> reserve_tightly(Job& job, budget::Patience& patience);
  Task<Done> spend(Job& job);
  /// After a failed attempt: prepares the next one where there is to be one, and waits for its
  /// time.
  Task<bool> has_next_attempt(Job& job, const ErrorAnswer& error);
  /// How the place fared, for those that come after.
  void note_health(const Job& job, const Done& done);
  Surroundings surroundings() const;
  bool has_attempt_left(const Job& job) const;
  bool keeps_content(const Job& job) const;
  bool may_need_request_again(const Job& job) const;
  /// Where its owner has contents kept. Called once the caller has been answered.
  void keep_content(const Job& job);
  Task<Done> call_provider(Job& job);
  Task<Done> call_runner(Job& job);
  Task<Done> send_and_deliver(Job& job, const Address& address, std::string_view key);
  Task<Done> exchange_on(Job& job, const Address& address, std::string_view key,
                         net::ProviderExchange& provider);
  Task<net::IoResult<void>> send_request(Job& job, const Address& address, std::string_view key,
                                         net::ProviderExchange& provider);
  /// Settles once; later calls do nothing.
  Task<void> settle(Job& job);

  // Delivering (deliver.cpp).
  Task<Done> deliver(Job& job, net::ProviderExchange& provider);
  Task<Done> deliver_whole(Job& job, net::ProviderExchange& provider);
  Task<Done> deliver_stream(Job& job, net::ProviderExchange& provider);
  /// Reads the provider's own error, and gives it as a failure: whether it is the answer depends
  /// on what comes next.
  Task<Done> read_error(Job& job, net::ProviderExchange& provider);
  Task<Done> read_no_answer(Job& job, net::ProviderExchange& provider);
  Task<Done> read_whole(Job& job, net::ProviderExchange& provider, net::Buffer& body,
                        std::size_t bytes_max);
  Task<Done> await_first_word(Job& job, net::ProviderExchange& provider, net::Buffer& pending);
  Done refused_in_stream(Job& job, std::string_view data);
  Task<Done> forward_events(Job& job, net::Buffer& pending, StreamState& stream);
  Task<Done> pass_on_error(Job& job, std::string_view event);
  Task<Done> send_piece(Job& job, std::string_view bytes);
  Task<void> end_stream_with(Job& job, const api::ErrorAnswer& error);
  Task<void> answer_error(net::ServerConnection& caller, const api::Dialect& dialect,
                          Failure failure, Job* job);
  void add_job_headers(net::http::HeadWriter& head, const Job& job) const;
  Task<Done> send_before(Job& job, StreamState& stream, std::string_view untouched);
  Failure broken(Job& job, const net::AnswerFailure& failure, std::string_view stage) const;

  // The record (relay.cpp).
  void begin_record(Job& job);
  void finish_record(Job& job);
  std::int64_t since_start(const Job& job) const;
  const Address* address_of(const std::string& base_url);

  Parts parts_;
  const Limits& limits_;
  std::shared_ptr<const Snapshot> world_;
  std::shared_ptr<const alert::PassedThresholds> passed_;  ///< Null: of none is known.
  /// Where nobody gave one for all threads.
  std::unique_ptr<PlaceHealth> own_health_;
  PlaceHealth& health_;
  CredentialTurns turns_;
  std::unordered_map<std::string, std::unique_ptr<Address>> addresses_;
  bool is_draining_ = false;
};

}  // namespace claviger::relay
