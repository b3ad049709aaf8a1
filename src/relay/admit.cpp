/// Letting a request in: who is calling, how fast, what they want, where it goes, and what it
/// can cost. Nothing here waits or spends; each step can say no.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>

#include "access/model_pattern.h"
#include "relay/failure.h"
#include "relay/relay.h"

namespace claviger::relay {
namespace {

std::unexpected<Failure> no(Failure failure) {
  return std::unexpected(std::move(failure));
}

/// Behind "Bearer ", in any case, as RFC 9110 has schemes.
std::string_view bearer_of(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() < kScheme.size()) return {};
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    if ((authorization[i] | 0x20) != kScheme[i]) return {};
  }
  return authorization.substr(kScheme.size());
}

/// Names longer than this are taken for the same where they begin the same.
constexpr std::size_t kEndUserBytesMax = 256;

std::string_view name_of_end_user(const Job& job) {
  return std::string_view(job.request.end_user).substr(0, kEndUserBytesMax);
}

std::string name_of(const budget::Budget& budget, const Job& job) {
  using budget::Scope;
  switch (budget.scope) {
    case Scope::workspace:
      return "the workspace's budget";
    case Scope::owner:
    case Scope::each_owner:
      return fmt::format("the budget of \"{}\"", job.key->owner_name);
    case Scope::app:
      return fmt::format("the budget of the app \"{}\"", job.key->app_name);
    case Scope::credential:
      return fmt::format("the budget of {}", job.attempt.target.credential.text());
    case Scope::virtual_key:
      return "the budget of this virtual key";
    case Scope::model:
      return fmt::format("the budget for {}", budget.pattern);
    case Scope::each_user:
      return job.request.end_user.empty()
                 ? std::string("the budget of those whom the application does not name")
                 : fmt::format("the budget of the end user \"{}\"", name_of_end_user(job));
  }
  return "the budget";
}

/// What an unbounded request is held for where nobody knows how much its model reads at once.
constexpr std::int64_t kContextTokensAssumed = 128'000;

budget::ModelLimits limits_of(const route::Target& target) {
  return {.context_tokens_max = target.context_tokens_max,
          .output_tokens_max = target.output_tokens_max};
}

/// Who serves a provider's models elsewhere counts as they like.
const budget::ModelFamily& family_of(const route::Target& target) {
  return target.base_url.empty() ? budget::family_of(target.provider, target.provider_model)
                                 : budget::family_of({}, {});
}

}  // namespace

std::expected<const access::VirtualKey*, Failure> Relay::recognise(
    const net::ServerConnection& caller, const net::http::Target& target) {
  const net::http::RequestHead& head = caller.head();
  const auto in_query = net::http::query_key(target.query);
  if (!in_query) return no(bad_target(net::http::explain(in_query.error())));
  const std::array presented = {bearer_of(head.value_of("authorization")),
                                head.value_of("x-api-key"), head.value_of("x-goog-api-key"),
                                in_query->value_or(std::string_view())};
  std::string_view key;
  for (const std::string_view one : presented) {
    if (one.empty()) continue;
    if (!key.empty() && key != one) return no(two_keys());
    key = one;
  }
  const auto found = world_->directory->authenticate(key, parts_.reactor.clock().wall_now());
  if (!found) return no(key_refused(found.error()));
  return *found;
}

Done Relay::take_turn(Job& job) {
  if (job.key->pace == nullptr) return {};
  const auto entered = job.key->pace->enter(job.key->limits, parts_.reactor.now());
  if (!entered) return no(too_fast(entered.error()));
  job.turn = Turn(job.key->pace, job.key->limits, parts_.reactor.clock());
  return {};
}

Task<Done> Relay::read_body(Job& job) {
  const auto read = co_await job.caller.read_body();
  if (read) co_return Done{};
  job.record.caller_left = read.error().status == 0;
  if (read.error().status == 503) co_return no(server_busy(read.error().message));
  co_return no(ErrorAnswer{.status = read.error().status,
                           .code = read.error().code,
                           .message = read.error().message,
                           .at_fault = "app",
                           .say = "The application's request did not arrive whole.",
                           .remedy = "Send the request again."});
}

/// Gemini names the model, and whether it streams, in the path.
Done Relay::take_from_path(Job& job, const net::http::Target& target) {
  const Surface& surface = job.surface;
  if (surface.model.empty()) return {};
  if (!net::http::decode_segment(surface.model, job.request.model)) {
    return no(bad_target("the model's name in the path is malformed"));
  }
  job.request.delivery = surface.delivery;
  job.request.is_batch = surface.is_batch;
  const bool is_streamed = surface.delivery == exchange::Delivery::streamed;
  if (is_streamed &&
      ("&" + std::string(target.query) + "&").find("&alt=sse&") == std::string::npos) {
    return no(bad_request({.code = exchange::BadRequest::Code::missing_field,
                           .field = "alt",
                           .message = "streams are given as server-sent events only; add ?alt=sse, "
                                      "as the SDKs do"}));
  }
  return {};
}

Done Relay::understand(Job& job, const net::http::Target& target) {
  const std::string_view body = job.caller.body();
  job.record.request_bytes = static_cast<std::int64_t>(body.size());
  if (body.empty()) {
    return no(bad_request({.message = "the request has no body; send a JSON object"}));
  }
  auto request = job.dialect.read(job.operation, body);
  if (!request) return no(bad_request(request.error()));
  job.request = std::move(*request);
  if (auto taken = take_from_path(job, target); !taken) return taken;
  job.record.model_asked.assign(job.request.model, 0, 256);
  job.record.streamed = job.request.delivery == exchange::Delivery::streamed;
  const std::string_view named = job.caller.head().value_of("x-claviger-user");
  if (!named.empty()) job.request.end_user = named;
  job.record.end_user = job.request.end_user;
  return {};
}

/// Brings those at the head of the list that have the same model into the order of their turns.
void Relay::take_turns(Job& job, route::Plan& plan) {
  job.counts_use = plan.rotation == route::Rotation::least_used;
  const auto others = static_cast<std::ptrdiff_t>(plan.alike) - 1;
  std::vector<route::Target> places;
  std::vector<CredentialId> credentials;
  places.reserve(plan.alike);
  credentials.reserve(plan.alike);
  places.push_back(std::move(plan.first));
  std::move(plan.alternatives.begin(), plan.alternatives.begin() + others,
            std::back_inserter(places));
  for (const route::Target& place : places) credentials.push_back(place.credential);
  const auto order = turns_.order(plan.rotation, plan.list, credentials, parts_.reactor.now());
  plan.first = std::move(places[order.front()]);
  for (std::size_t i = 1; i < order.size(); ++i) {
    plan.alternatives[i - 1] = std::move(places[order[i]]);
  }
}

Done Relay::find_targets(Job& job) {
  // Names go into headers of ours: no control bytes, no blanks around them.
  const bool is_plain =
      std::ranges::all_of(job.request.model, [](unsigned char c) { return c > ' ' && c != 0x7F; });
  if (!is_plain) {
    return no(bad_request({.code = exchange::BadRequest::Code::out_of_range,
                           .field = "model",
                           .message = "a model's name has no blanks or control characters"}));
  }
  auto plan = job.world->routes->plan(job.request.model, job.key->owner);
  if (!plan) return no(not_routed(plan.error(), job.request.model));
  if (plan->rotation != route::Rotation::in_order && plan->alike > 1) take_turns(job, *plan);
  job.attempt.target = std::move(plan->first);
  job.alternatives = std::move(plan->alternatives);
  if (job.alternatives.empty()) return {};

  // Of a list, what this key is not for is left out; where nothing is left, the first says so.
  std::erase_if(job.alternatives, [&](const route::Target& target) {
    return !access::may_use(*job.key, target.model);
  });
  // What has just failed again and again is asked last.
  const auto is_ailing = [this, now = parts_.reactor.now()](const route::Target& target) {
    return health_.is_ailing(target, now);
  };
  std::ranges::stable_partition(job.alternatives, std::not_fn(is_ailing));
  std::ranges::reverse(job.alternatives);
  if (is_ailing(job.attempt.target) && !job.alternatives.empty() &&
      !is_ailing(job.alternatives.back())) {
    std::swap(job.attempt.target, job.alternatives.back());
    // The preferred one is still the first of those that ail.
    std::ranges::stable_partition(job.alternatives, is_ailing);
  }
  if (!access::may_use(*job.key, job.attempt.target.model) && !job.alternatives.empty()) {
    job.attempt.target = std::move(job.alternatives.back());
    job.alternatives.pop_back();
  }
  return {};
}

Done Relay::choose_place(Job& job) {
  Attempt& attempt = job.attempt;
  job.record.model = attempt.target.model;
  job.record.credential = attempt.target.credential;
  if (!access::may_use(*job.key, attempt.target.model)) {
    return no(model_not_allowed(attempt.target.model));
  }
  // The place may change while money is looked for: nothing of the last one stays.
  attempt.translation = nullptr;
  attempt.conversation.reset();
  attempt.dropped.clear();
  attempt.forwarded_headers.clear();
  attempt.is_unbounded = false;
  attempt.profile = job.world->profiles->find(attempt.target.provider);
  attempt.adapter = attempt.profile == nullptr
                        ? nullptr
                        : provider::adapter_for(*attempt.profile, job.request.dialect);
  const bool is_counted_here = job.operation == exchange::Operation::count_tokens;
  const bool is_offered =
      attempt.adapter != nullptr &&
      !attempt.adapter->path(*attempt.profile, job.request, attempt.target.provider_model).empty();
  if (!is_offered && !is_counted_here) {
    return no(operation_not_offered(attempt.target.provider, exchange::to_string(job.operation)));
  }
  if (auto taken = take_forwarded_headers(job); !taken) return taken;
  if (attempt.adapter->dialect() != job.request.dialect && !is_counted_here) return translate(job);
  return {};
}

Done Relay::check_is_bounded(const Job& job) const {
  const catalog::Price& price = *job.attempt.target.price;
  const std::string& model = job.attempt.target.model;
  if (price.has_unbounded_units) return no(costs_without_bound(model));
  if (price.is_free()) return {};
  if (!job.request.unbounded_fields.empty()) {
    return no(cannot_be_bounded(model, job.request.unbounded_fields.front()));
  }
  if (job.attempt.profile->unknown_fields_may_cost && !job.request.unknown_fields.empty()) {
    return no(cannot_be_bounded(model, job.request.unknown_fields.front()));
  }
  const auto unpriced = budget::unpriced_field(job.request, price, family_of(job.attempt.target));
  if (!unpriced.empty()) return no(has_no_rate(model, unpriced));
  return {};
}

/// Whether the owner of the credential lets requests through whose cost nothing bounds.
bool Relay::may_be_unbounded(const Job& job) {
  const auto* const credential = job.world->credentials->find(job.attempt.target.credential);
  return credential != nullptr && credential->about.allows_unbounded;
}

Done Relay::bound_cost(Job& job) {
  Attempt& attempt = job.attempt;
  attempt.begun_at = attempt.ended_at = parts_.reactor.clock().wall_now();
  if (attempt.target.dated != nullptr) {
    attempt.target.price = attempt.target.dated->price_at(attempt.begun_at);
  }
  // Counting is not billed. It passes the ledger all the same, as all that reaches a provider.
  static const catalog::Price kNothing;
  const bool is_billed = job.operation != exchange::Operation::count_tokens;
  if (is_billed) {
    if (!attempt.target.price) return no(cannot_be_priced(attempt.target.model));
    if (auto bounded = check_is_bounded(job); !bounded) {
      if (!may_be_unbounded(job)) return bounded;
      attempt.is_unbounded = true;
    }
  }
  if (attempt.is_unbounded && attempt.target.price->has_unbounded_units) {
    // What can be bounded is held all the same.
    catalog::Price price = *attempt.target.price;
    price.has_unbounded_units = false;
    attempt.target.price = std::make_shared<const catalog::Price>(std::move(price));
  }
  const catalog::Price& price = is_billed ? *attempt.target.price : kNothing;
  const auto budgets = job.world->budgets->concerned({.owner = job.key->owner,
                                                      .app = job.key->app,
                                                      .credential = attempt.target.credential,
                                                      .key = job.key->id,
                                                      .model = attempt.target.model});
  if (!budgets) return no(budgets.error() == 0 ? no_budget() : too_many_budgets(budgets.error()));
  attempt.budgets = *budgets;
  budget::ModelLimits limits = limits_of(attempt.target);
  auto bound = budget::bound_request(job.request, price, limits, family_of(attempt.target));
  if (!bound && is_billed) {
    if (!may_be_unbounded(job)) return no(cannot_be_bounded(attempt.target.model, "messages"));
    attempt.is_unbounded = true;
    limits.context_tokens_max = kContextTokensAssumed;
    bound = budget::bound_request(job.request, price, limits, family_of(attempt.target));
  }
  attempt.bound = bound.value_or(budget::Bound{});
  job.record.unbounded = job.record.unbounded || attempt.is_unbounded;
  // The bound that the hold counts on is made true, also where the caller set one: perhaps
  // under a name that does not bind at this provider.
  if (job.operation == exchange::Operation::chat) {
    attempt.output_tokens_written = attempt.bound.output_tokens_max;
  }
  return {};
}

bool Relay::may_count_exactly(const Job& job) const {
  return job.request.body.size() <= limits_.exact_count_bytes_max &&
         family_of(job.attempt.target).exact_tokenizer() != nullptr;
}

/// Others have their turn after each stretch: a large text takes milliseconds.
Task<void> Relay::count_exactly(Job& job) {
  constexpr std::size_t kStepBytes = 16 * 1024;
  Attempt& attempt = job.attempt;
  const auto* const tokenizer = family_of(attempt.target).exact_tokenizer();
  const auto texts = job.dialect.input_texts(job.request);
  budget::CountedTexts counted;
  tokenize::Scratch scratch;
  for (const api::InputText& one : texts) {
    const std::string_view text = one.place == api::InputText::Place::alone
                                      ? std::string_view(one.text)
                                      : tokenize::Tokenizer::context_free(one.text);
    tokenize::TokenCount total;
    for (std::size_t at = 0; at < text.size();) {
      at = tokenizer->count_step(text, at, kStepBytes, scratch, total);
      if (text.size() > kStepBytes) co_await parts_.reactor.yield();
    }
    counted.tokens_max += total.tokens + static_cast<std::int64_t>(one.text.size() - text.size());
    counted.json_bytes += one.json_bytes;
  }
  attempt.bound =
      budget::tightened(attempt.bound, counted, *attempt.target.price, limits_of(attempt.target));
}

const budget::Budget* Relay::definition_of(const Job& job, BudgetId budget) {
  for (const auto& [made, rule] : job.attempt.user_budgets) {
    if (made == budget) return job.world->budgets->find(rule);
  }
  return job.world->budgets->find(budget);
}

Task<Done> Relay::add_user_budgets(Job& job) {
  job.attempt.user_budgets.clear();
  for (const BudgetId rule : job.world->budgets->user_rules()) {
    const auto made = co_await parts_.ledger.budget_of(
        {.rule = rule, .app = job.key->app, .name = name_of_end_user(job)});
    if (!made) co_return std::unexpected(refusal_of(job, made.error()));
    job.attempt.user_budgets.emplace_back(*made, rule);
    // That they fit was seen when the others were counted.
    if (!job.attempt.budgets.add(*made))
      co_return no(too_many_budgets(budget::BudgetSet::kMost + 1));
  }
  co_return Done{};
}

Failure Relay::refusal_of(const Job& job, const budget::Refusal& refusal) const {
  const budget::Budget* const tight = definition_of(job, refusal.budget);
  const std::int64_t fits =
      job.attempt.target.price
          ? budget::output_bound_within(refusal.left, job.attempt.bound, *job.attempt.target.price)
          : 0;
  return budget_refused(refusal, tight == nullptr ? "a budget" : name_of(*tight, job),
                        job.attempt.bound.cost_max, fits);
}

void Relay::clamp_output(Job& job) {
  job.attempt.was_clamped = true;
  job.attempt.output_tokens_written = budget::output_bound_within(
      job.attempt.grant.amount, job.attempt.bound, *job.attempt.target.price);
}

}  // namespace claviger::relay
