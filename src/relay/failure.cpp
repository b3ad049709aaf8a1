#include "relay/failure.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "exchange/json_writer.h"
#include "record/feedback.h"
#include "record/record.h"

namespace claviger::relay {
namespace {

using api::Retry;

/// "Mon 2026-11-30 00:00 UTC"
std::string when(WallTime time) {
  const std::time_t seconds = unix_micros(time) / 1'000'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[40];
  std::strftime(text, sizeof text, "%a %Y-%m-%d %H:%M UTC", &parts);
  return text;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += ", ";
    text += word;
  }
  return text;
}

/// Cut at a length that fits a message; model names come from callers.
std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 120;
  return text.size() <= kMost ? std::string(text) : std::string(text.substr(0, kMost)) + "…";
}

}  // namespace

Task<Done> give_up(Failure failure) {
  co_return std::unexpected(std::move(failure));
}

Failure key_refused(access::AccessError error) {
  return ErrorAnswer{
      .status = 401,
      .code = error == access::AccessError::missing ? "missing_api_key" : "invalid_api_key",
      .message = std::string(access::explain(error)),
      .at_fault = "app",
      .say = "The application's access key was not accepted.",
      .remedy = "Use a virtual key made with: claviger key create --owner NAME --app NAME"};
}

Failure two_keys() {
  return ErrorAnswer{.status = 400,
                     .code = "conflicting_api_keys",
                     .message =
                         "two different API keys were presented (in Authorization, x-api-key, "
                         "x-goog-api-key or ?key=); send one",
                     .at_fault = "app",
                     .say = "The application sent two different access keys.",
                     .remedy = "Send the virtual key in one place only."};
}

Failure too_fast(const access::TooFast& too_fast) {
  const auto seconds = std::max<std::int64_t>(
      1, std::chrono::ceil<std::chrono::seconds>(too_fast.retry_after).count());
  const std::string_view unit = too_fast.which == access::PaceLimit::requests ? "requests a minute"
                                : too_fast.which == access::PaceLimit::tokens ? "tokens a minute"
                                                                              : "requests at once";
  return ErrorAnswer{.status = 429,
                     .code = "rate_limit_exceeded",
                     .message = fmt::format("this virtual key may make {} {}; try again in {} s",
                                            too_fast.limit, unit, seconds),
                     .at_fault = "app",
                     .say = "The application is sending requests faster than it is allowed to.",
                     .remedy = "Slow down, or ask the owner of the key for a higher limit of pace.",
                     .retry = Retry::after,
                     .retry_after_s = static_cast<int>(seconds)};
}

Failure bad_request(const exchange::BadRequest& bad) {
  using Code = exchange::BadRequest::Code;
  std::string code = "invalid_value";
  if (bad.code == Code::malformed_json) code = "malformed_json";
  if (bad.code == Code::repeated_key) code = "repeated_key";
  if (bad.code == Code::missing_field) code = "missing_required_parameter";
  return ErrorAnswer{.status = 400,
                     .code = std::move(code),
                     .message = bad.message,
                     .param = bad.field,
                     .at_fault = "app",
                     .say = "The application sent a request that cannot be read.",
                     .remedy = "Correct the request as the message says."};
}

Failure unknown_path(std::string_view method, std::string_view path) {
  return ErrorAnswer{
      .status = 404,
      .code = "unknown_path",
      .message = fmt::format("there is nothing at {} {}; the base URL for OpenAI SDKs ends "
                             "in /v1",
                             shown(method), shown(path)),
      .at_fault = "app",
      .say = "The application called an address that does not exist.",
      .remedy = "Check the base URL."};
}

Failure wrong_method(std::string_view method, std::string_view path) {
  return ErrorAnswer{.status = 405,
                     .code = "method_not_allowed",
                     .message = fmt::format("{} is not possible at {}", shown(method), shown(path)),
                     .at_fault = "app",
                     .say = "The application called an address in the wrong way.",
                     .remedy = "Check the HTTP method."};
}

Failure bad_target(std::string_view why) {
  return ErrorAnswer{.status = 400,
                     .code = "malformed_path",
                     .message = std::string(why),
                     .at_fault = "app",
                     .say = "The application called an address that is not well formed.",
                     .remedy = "Check the base URL and the path."};
}

Failure not_routed(const route::RouteFailure& failure, std::string_view model) {
  ErrorAnswer answer{.status = 404,
                     .code = "unknown_model",
                     .param = "model",
                     .at_fault = "app",
                     .say = "The application asked for a model that is not available to it."};
  switch (failure.error) {
    case route::RouteError::unknown_model:
      answer.message = fmt::format("there is no model \"{}\" here", shown(model));
      if (!failure.candidates.empty()) {
        answer.message += "; did you mean " + joined(failure.candidates) + "?";
      }
      answer.remedy = "GET /v1/models lists what this key can use.";
      break;
    case route::RouteError::ambiguous_model:
      answer.code = "ambiguous_model";
      answer.message = fmt::format("the model \"{}\" exists at several providers: {}; name one",
                                   shown(model), joined(failure.candidates));
      answer.remedy = "Write provider/model.";
      break;
    case route::RouteError::alias_unusable:
      answer.code = "alias_unusable";
      answer.at_fault = "account";
      answer.message =
          fmt::format("\"{}\" stands for {}, and the owner of this key has none of these",
                      shown(model), joined(failure.candidates));
      answer.remedy =
          "Bring a key for one of them (claviger credential add), or change the list (claviger "
          "alias set)";
      break;
    case route::RouteError::no_credential:
      answer.code = "no_credential";
      answer.at_fault = "account";
      answer.message = fmt::format(
          "the owner of this key has no credential for the provider of \"{}\"", shown(model));
      answer.remedy = "Bring a key: claviger credential add --owner NAME --provider ID --key-stdin";
      break;
  }
  return answer;
}

Failure model_not_allowed(std::string_view model) {
  return ErrorAnswer{
      .status = 403,
      .code = "model_not_allowed",
      .message = fmt::format("this virtual key may not use the model \"{}\"", shown(model)),
      .param = "model",
      .at_fault = "app",
      .say = "The application may not use this model.",
      .remedy =
          "Use a model that the key allows (GET /v1/models), or make a key with other "
          "--models."};
}

Failure cannot_be_priced(std::string_view model) {
  return ErrorAnswer{
      .status = 422,
      .code = "cannot_be_priced",
      .message = fmt::format("the price of \"{}\" is not known, so its cost cannot be limited",
                             shown(model)),
      .param = "model",
      .at_fault = "account",
      .say = "The price of this model is not known.",
      .remedy = fmt::format("State it: claviger model price {} --owner NAME --input … --output … "
                            "(dollars per million tokens; 0 where it is free)",
                            shown(model))};
}

Failure cannot_be_bounded(std::string_view model, std::string_view field) {
  return ErrorAnswer{
      .status = 422,
      .code = "cannot_be_bounded",
      .message = fmt::format("the field \"{}\" can add to the cost of \"{}\" without a bound "
                             "that is known beforehand, so the request is refused",
                             shown(field), shown(model)),
      .param = std::string(field),
      .at_fault = "app",
      .say = "The request could cost more than can be known beforehand.",
      .remedy =
          "Leave the field out, or have the credential's owner allow such requests: "
          "\"claviger credential set ID --allow-unbounded\"."};
}

Failure has_no_rate(std::string_view model, std::string_view field) {
  return ErrorAnswer{
      .status = 422,
      .code = "cannot_be_priced",
      .message = fmt::format("nothing is known here of what \"{}\" costs at \"{}\", so the request "
                             "is refused",
                             shown(field), shown(model)),
      .param = std::string(field),
      .at_fault = "app",
      .say = "The request asks for something whose price is not known.",
      .remedy =
          "Leave the field out, name a model that offers it, or have the owner state its "
          "price with \"claviger model price … --card FILE\"."};
}

Failure costs_without_bound(std::string_view model) {
  return ErrorAnswer{
      .status = 422,
      .code = "cannot_be_bounded",
      .message = fmt::format("\"{}\" searches, or works on, as often as it likes, and each time is "
                             "billed; nothing bounds what a request to it costs, so it is refused",
                             shown(model)),
      .param = "model",
      .at_fault = "app",
      .say = "The model could cost more than can be known beforehand.",
      .remedy =
          "Choose a model that does not search or work on by itself, or have the "
          "credential's owner allow such requests: \"claviger credential set ID "
          "--allow-unbounded\"."};
}

Failure not_expressible(std::string_view model, std::string_view field, std::string_view why,
                        Droppable droppable) {
  ErrorAnswer answer{
      .status = 422,
      .code = "not_expressible",
      .message = fmt::format("`{}` cannot be expressed to \"{}\"", shown(field), shown(model)),
      .param = std::string(field),
      .at_fault = "app",
      .say = "The application asks for something that this model's provider has no word for.",
      .remedy = "Leave the field out, or choose a model whose provider knows it."};
  if (!why.empty()) answer.message = fmt::format("`{}`: {}", shown(field), why);
  if (droppable == Droppable::yes) {
    answer.remedy +=
        fmt::format(" To go without it, send the header x-claviger-allow-drops: {}", shown(field));
  }
  return answer;
}

Failure no_budget() {
  return ErrorAnswer{
      .status = 402,
      .code = "no_budget",
      .message = "no budget applies to this request, and nothing is spent without a limit",
      .at_fault = "budget",
      .say = "No spending limit has been set, so nothing may be spent.",
      .remedy = "Set one: claviger budget set --scope each-owner --limit 10.00 --per month"};
}

Failure too_many_budgets(std::size_t count) {
  return ErrorAnswer{
      .status = 402,
      .code = "too_many_budgets",
      .message = fmt::format("{} budgets apply to this request; at most {} can be held at once",
                             count, budget::BudgetSet::kMost),
      .at_fault = "budget",
      .say = "Too many spending limits apply at once.",
      .remedy = "Remove one of them: claviger budget list"};
}

Failure budget_refused(const budget::Refusal& refusal, std::string_view budget_name, NanoUsd asked,
                       std::int64_t fits_output_tokens) {
  switch (refusal.error) {
    case budget::LedgerError::exhausted:
      break;
    case budget::LedgerError::too_many_end_users:
      return ErrorAnswer{
          .status = 402,
          .code = "too_many_end_users",
          .message =
              "a budget is set for each end user, and there are as many of them as there "
              "may be; this one cannot be counted, so nothing is sent",
          .at_fault = "budget",
          .say = "The gateway cannot count the spending of any more people.",
          .remedy =
              "The operator raises limits.end_users_max, or removes the rule: claviger "
              "budget list"};
    case budget::LedgerError::needs_lease:
    case budget::LedgerError::unknown_budget:
    case budget::LedgerError::too_many_holds:
    case budget::LedgerError::unknown_hold:
    case budget::LedgerError::unavailable:
      return ErrorAnswer{
          .status = 503,
          .code = refusal.error == budget::LedgerError::too_many_holds ? "too_many_requests"
                                                                       : "ledger_unavailable",
          .message = refusal.error == budget::LedgerError::too_many_holds
                         ? "too many requests hold money at once; try again shortly"
                         : "money cannot be held at the moment (is the disk full?), so nothing "
                           "is sent",
          .at_fault = "gateway",
          .say = "The gateway cannot keep its books at the moment.",
          .remedy = "The operator finds the reason with: claviger doctor",
          .retry = Retry::after,
          .retry_after_s = 5};
  }
  std::string message = fmt::format("{} has {} left", budget_name, to_display(refusal.left));
  if (refusal.resets_at) message += " until " + when(*refusal.resets_at);
  message += fmt::format("; this request may cost up to {}. ", to_display(asked));
  if (fits_output_tokens > 0) {
    message += fmt::format("Lower max_tokens to {}, raise the limit, or allow clamping.",
                           fits_output_tokens);
  } else {
    message += refusal.resets_at ? "Raise the limit, or wait until it resets." : "Raise the limit.";
  }
  return ErrorAnswer{.status = 402,
                     .code = "budget_exhausted",
                     .message = std::move(message),
                     .at_fault = "budget",
                     .say = "The spending limit that its owner set here is reached.",
                     .remedy = "The owner can raise it: claviger budget list, claviger budget set"};
}

Failure operation_not_offered(std::string_view provider, std::string_view operation) {
  return ErrorAnswer{.status = 422,
                     .code = "operation_not_offered",
                     .message = fmt::format("{} does not offer {}", provider, operation),
                     .param = "model",
                     .at_fault = "app",
                     .say = "The model cannot do what the application asks of it.",
                     .remedy = "Choose another model."};
}

Failure credential_gone() {
  return ErrorAnswer{.status = 503,
                     .code = "credential_unavailable",
                     .message = "the credential for this model cannot be opened",
                     .at_fault = "gateway",
                     .say = "The gateway cannot open the key that it keeps for this model.",
                     .remedy = "The operator finds the reason with: claviger vault status"};
}

Failure runner_failed(const route::RunnerFailure& failure) {
  const bool later = failure.error == route::RunnerError::too_slow ||
                     failure.error == route::RunnerError::backing_off ||
                     failure.error == route::RunnerError::stopping;
  const bool is_models = failure.error == route::RunnerError::model_missing ||
                         failure.error == route::RunnerError::start_failed;
  return ErrorAnswer{.status = failure.error == route::RunnerError::too_slow ? 504 : 503,
                     .code = "runner_unavailable",
                     .message = failure.message,
                     .at_fault = is_models ? "account" : "gateway",
                     .say = "The model on this machine could not be started.",
                     .remedy = "The operator finds the reason with: claviger doctor",
                     .retry = later ? Retry::after : Retry::no,
                     .retry_after_s = later ? 10 : 0};
}

Failure not_connected(const net::ConnectFailure& failure, std::string_view provider,
                      bool is_own_endpoint) {
  ErrorAnswer answer{
      .status = failure.timed_out ? 504 : 502,
      .code = failure.timed_out ? "provider_connect_timeout" : "provider_unreachable",
      .message = failure.message,
      .at_fault = is_own_endpoint ? "account" : "network",
      .confidence = 0.9,
      .say = fmt::format("{} could not be reached.", provider),
      .remedy = is_own_endpoint
                    ? "Check that the endpoint is running and that its address is right."
                    : "Check this machine's network, then the provider's status page.",
      .retry = Retry::yes};
  answer.evidence.push_back(fmt::format("stage: {}", net::to_string(failure.stage)));
  if (failure.stage == net::ConnectStage::egress) {
    answer.status = 403;
    answer.code = "egress_refused";
    answer.at_fault = "gateway";
    answer.confidence = 1.0;
    answer.retry = Retry::no;
    answer.remedy = "The operator decides which private addresses may be reached.";
  }
  return answer;
}

Failure caller_left_first(std::string_view provider) {
  return ErrorAnswer{.status = 499,
                     .code = "caller_left",
                     .message = fmt::format("the caller left before {} was asked", provider),
                     .at_fault = "app",
                     .say = "The application hung up before it had its answer.",
                     .remedy = "Give the application a longer time-out."};
}

Failure bad_provider_answer(std::string_view provider, std::string_view why) {
  return ErrorAnswer{
      .status = 502,
      .code = "bad_provider_answer",
      .message = fmt::format("{} answered in a way that cannot be used: {}", provider, why),
      .at_fault = "provider",
      .confidence = 0.7,
      .say = fmt::format("{} gave an answer that cannot be read.", provider),
      .remedy = "Check the base URL of the credential, then the provider's status page.",
      .retry = Retry::no};
}

Failure provider_overran(std::string_view provider) {
  return ErrorAnswer{
      .status = 502,
      .code = std::string(record::kProviderOverran),
      .message = fmt::format(
          "{} went on beyond the bound on the answer that it was given, so the stream was ended: "
          "the "
          "budget holds no more for it. What is missing would have cost more than was allowed",
          provider),
      .at_fault = "provider",
      .confidence = 0.95,
      .say = fmt::format("{} wrote more than it was allowed to, and was stopped.", provider),
      .remedy = "Look at the provider's bill and correct the cost: claviger budget uncertain.",
      .retry = Retry::no};
}

Failure draining() {
  return ErrorAnswer{.status = 503,
                     .code = "draining",
                     .message = "the server is being stopped; try again in a few seconds",
                     .at_fault = "gateway",
                     .say = "The gateway is restarting.",
                     .remedy = "Try again.",
                     .retry = Retry::after,
                     .retry_after_s = 2};
}

Failure server_busy(std::string_view why) {
  return ErrorAnswer{.status = 503,
                     .code = "server_busy",
                     .message = std::string(why),
                     .at_fault = "gateway",
                     .say = "Too many large requests arrived at once.",
                     .remedy = "Try again in a few seconds.",
                     .retry = Retry::after,
                     .retry_after_s = 3};
}

Failure not_whole(int status, std::string_view code, std::string_view message) {
  return ErrorAnswer{.status = status,
                     .code = std::string(code),
                     .message = std::string(message),
                     .at_fault = status == 503 ? "gateway" : "app",
                     .say = "The application's request did not arrive whole.",
                     .remedy = "Send the request again."};
}

Failure feedback_too_large() {
  return ErrorAnswer{
      .status = 413,
      .code = "request_too_large",
      .message = fmt::format("feedback has at most {} bytes", record::feedback_body_bytes_max),
      .at_fault = "app",
      .say = "The application's feedback is too long.",
      .remedy = "Say why in fewer words."};
}

Failure errand_elsewhere() {
  return ErrorAnswer{.status = 409,
                     .code = "credential_not_routed",
                     .message = "requests for this model do not go to that credential now",
                     .at_fault = "gateway",
                     .say = "The question could not be put to the same place.",
                     .remedy = "See whether the credential is disabled: claviger credential list"};
}

Failure errand_too_dear(NanoUsd could_cost, NanoUsd cost_max) {
  return ErrorAnswer{.status = 402,
                     .code = "probe_too_dear",
                     .message = fmt::format("this could cost up to {}, and a probe may cost {}",
                                            to_display(could_cost), to_display(cost_max)),
                     .at_fault = "budget",
                     .say = "The question was too expensive to ask.",
                     .remedy = "Ask with the free probes, or send a small request yourself."};
}

Failure unknown_request() {
  return ErrorAnswer{.status = 404,
                     .code = "unknown_request",
                     .message =
                         "this virtual key made no request of that id (it is in the "
                         "x-claviger-request-id header of each answer)",
                     .at_fault = "app",
                     .say = "The application asked about a request that it did not make.",
                     .remedy = "Check the id."};
}

Failure records_unavailable() {
  return ErrorAnswer{.status = 503,
                     .code = "records_unavailable",
                     .message = "the records cannot be read at the moment; try again shortly",
                     .at_fault = "gateway",
                     .say = "The gateway cannot read its records at the moment.",
                     .remedy = "The operator finds the reason with: claviger doctor",
                     .retry = Retry::after,
                     .retry_after_s = 2};
}

namespace {

int permille_of(double confidence) {
  return static_cast<int>(std::lround(std::clamp(confidence, 0.0, 1.0) * record::permille_max));
}

std::string_view to_string(Retry retry) {
  return retry == Retry::no ? "no" : retry == Retry::yes ? "yes" : "after";
}

}  // namespace

void note_failure(record::Record& record, const ErrorAnswer& error) {
  record.error_code = error.code;
  record.at_fault = error.at_fault;
  record::Judgement& judgement = record.judgement;
  judgement = {.retry = std::string(to_string(error.retry)),
               .retry_after_s = error.retry_after_s,
               .confidence_permille = permille_of(error.confidence)};
  for (const ErrorAnswer::Suspect& suspect : error.suspects) {
    if (judgement.suspects.size() == record::judged_suspects_max) break;
    judgement.suspects.push_back({.at_fault = suspect.at_fault,
                                  .cause = suspect.cause,
                                  .confidence_permille = permille_of(suspect.confidence)});
  }
  for (const std::string& line : error.evidence) {
    if (judgement.evidence.size() == record::judged_evidence_max) break;
    judgement.evidence.emplace_back(exchange::clipped(line, record::judged_line_bytes_max));
  }
}

void add_error_headers(net::http::HeadWriter& head, const ErrorAnswer& error) {
  head.header("x-claviger-fault", error.at_fault);
  head.header("x-should-retry", error.retry == Retry::no ? "false" : "true");
  if (error.retry == Retry::after && error.retry_after_s > 0) {
    head.header("retry-after", static_cast<std::uint64_t>(error.retry_after_s));
  }
}

}  // namespace claviger::relay
