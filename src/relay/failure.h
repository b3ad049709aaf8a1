#pragma once

/// What the relay says when it cannot go on: every failure of its own, as the error a caller
/// reads. All in one place, so that codes, statuses and remedies can be read like a table
/// (and are documented as one, in docs/reference/errors.md).

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "access/directory.h"
#include "api/dialect.h"
#include "base/ids.h"
#include "base/task.h"
#include "budget/budget_book.h"
#include "net/egress.h"
#include "net/http/write.h"
#include "net/socket.h"
#include "record/record.h"
#include "route/runner.h"
#include "route/table.h"

namespace claviger::relay {

using api::ErrorAnswer;

/// An error answer on its way up. On the heap, because it is rare, and would otherwise take 300
/// bytes in every coroutine frame that can pass one on, for as long as a stream lasts.
class Failure {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): an answer that is given up the way is one.
  Failure(ErrorAnswer answer) : answer_(std::make_unique<ErrorAnswer>(std::move(answer))) {}
  ErrorAnswer& operator*() const { return *answer_; }
  ErrorAnswer* operator->() const { return answer_.get(); }

 private:
  std::unique_ptr<ErrorAnswer> answer_;
};

/// Of a stage: go on, or give this answer.
using Done = std::expected<void, Failure>;
/// A stage that has already failed.
Task<Done> give_up(Failure failure);

Failure key_refused(access::AccessError error);
Failure two_keys();
Failure too_fast(const access::TooFast& too_fast);
Failure bad_request(const exchange::BadRequest& bad);
Failure unknown_path(std::string_view method, std::string_view path);
Failure wrong_method(std::string_view method, std::string_view path);
Failure bad_target(std::string_view why);
Failure not_routed(const route::RouteFailure& failure, std::string_view model);
Failure model_not_allowed(std::string_view model);
Failure cannot_be_priced(std::string_view model);
Failure cannot_be_bounded(std::string_view model, std::string_view field);
/// The model's price says nothing of what this field asks for.
Failure has_no_rate(std::string_view model, std::string_view field);
/// The model itself incurs what nothing bounds.
Failure costs_without_bound(std::string_view model);
/// Whether x-claviger-allow-drops can help.
enum class Droppable : std::uint8_t { no, yes };
/// `why` may be empty: the target's dialect has no word for `field`.
Failure not_expressible(std::string_view model, std::string_view field, std::string_view why,
                        Droppable droppable);
Failure no_budget();
Failure too_many_budgets(std::size_t count);
/// `asked` is the worst case of the request; `fits_output_tokens` is what max_tokens could be
/// to fit, 0 where nothing would.
Failure budget_refused(const budget::Refusal& refusal, std::string_view budget_name, NanoUsd asked,
                       std::int64_t fits_output_tokens);
Failure operation_not_offered(std::string_view provider, std::string_view operation);
Failure credential_gone();
Failure runner_failed(const route::RunnerFailure& failure);
Failure not_connected(const net::ConnectFailure& failure, std::string_view provider,
                      bool is_own_endpoint);
/// The caller has left before anything was sent.
Failure caller_left_first(std::string_view provider);
/// A stream that is ended because it brought more than was held for.
Failure provider_overran(std::string_view provider);
Failure bad_provider_answer(std::string_view provider, std::string_view why);
Failure draining();
Failure server_busy(std::string_view why);
/// An errand's credential is not where such a request would go.
Failure errand_elsewhere();
Failure errand_too_dear(NanoUsd could_cost, NanoUsd cost_max);
Failure unknown_request();
/// A body that did not arrive.
Failure not_whole(int status, std::string_view code, std::string_view message);
Failure feedback_too_large();
Failure records_unavailable();

/// Puts `error` on the record: its code, who is at fault, how sure that is and from what.
void note_failure(record::Record& record, const ErrorAnswer& error);

/// What SDKs and scripts read without parsing the body: whose fault, and whether to retry.
void add_error_headers(net::http::HeadWriter& head, const ErrorAnswer& error);

}  // namespace claviger::relay
