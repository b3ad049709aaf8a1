/// What a request would cost that nobody has sent yet: POST /estimate.

#include <fmt/format.h>

#include "console/request_estimate.h"
#include "console/routes.h"
#include "exchange/json_tree.h"
#include "exchange/json_writer.h"
#include "record/record.h"

namespace claviger::console {
namespace {

Outcome<exchange::Operation> read_operation(const Call& call) {
  const std::string_view text = call.asked("operation");
  if (text.empty() || text == "chat") return exchange::Operation::chat;
  if (text == "embeddings") return exchange::Operation::embeddings;
  return bad_value("operation", fmt::format("\"{}\" is no operation", text),
                   "send chat or embeddings, or leave it out for chat");
}

/// Whose places and prices count. Where there is one owner only, nobody need say.
Outcome<OwnerId> read_owner(const Registry& registry, const Call& call) {
  const std::string_view named = call.asked("owner");
  if (!named.empty()) {
    const auto owner = registry.owner(named);
    if (!owner) return std::unexpected(owner.error());
    return (*owner)->id;
  }
  const auto& owners = registry.directory().owners();
  if (owners.size() == 1) return owners.front().id;
  return problem(400, "missing_parameter", "it is not said whose keys and prices count",
                 "add ?owner=NAME");
}

Outcome<route::Target> find_target(const Registry& registry, const Call& call, OwnerId owner) {
  std::string named(call.asked("model"));
  if (named.empty()) {
    exchange::JsonTree tree;
    if (tree.read(call.request.body)) named = tree.root()["model"].text();
  }
  if (named.empty()) {
    return problem(400, "missing_field", "no model is named",
                   "name one in the request's field model, or add ?model=provider/model");
  }
  auto target = registry.world().routes->resolve(named, owner);
  if (target) return std::move(*target);
  return problem(404, "unknown_model",
                 fmt::format("no model \"{}\" can be reached with this owner's keys",
                             exchange::clipped(named, 256)),
                 "\"claviger model list\" and \"claviger catalog search WORD\" show what there is; "
                 "\"claviger estimate\" needs no key");
}

/// From the latest requests to the same model or, where there are too few, to its family. Read
/// anew each time: the records are what is kept, and a thousand of them take milliseconds.
std::optional<budget::LearnedFactors> learn(Registry& registry, const route::Target& target) {
  const auto records = registry.parts.records.list({.limit = record::records_listed_max});
  if (!records) return std::nullopt;
  const auto& family = budget::family_of(target.provider, target.provider_model);
  budget::FactorLearner of_model;
  budget::FactorLearner of_family;
  for (const record::Record& one : *records) {
    if (one.cost_state != record::CostState::billed || one.status != 200) continue;
    const std::size_t slash = one.model.find('/');
    if (slash == std::string::npos) continue;
    const std::string_view model(one.model);
    const bool is_same = model == target.model;
    const bool is_kin =
        !family.provider.empty() &&
        &budget::family_of(model.substr(0, slash), model.substr(slash + 1)) == &family;
    const auto teach = [&one](budget::FactorLearner& learner) {
      learner.add(one.request_bytes, one.usage.total_input_tokens(), one.usage.output_tokens);
    };
    if (is_same) teach(of_model);
    if (is_kin) teach(of_family);
  }
  const auto factors = of_model.factors();
  return factors ? factors : of_family.factors();
}

}  // namespace

Task<Outcome<Reply>> estimate_cost(Registry& registry, Call& call) {
  if (auto checked = call.check_query({"model", "owner", "operation"}); !checked) {
    co_return std::unexpected(checked.error());
  }
  const auto operation = read_operation(call);
  if (!operation) co_return std::unexpected(operation.error());
  const auto owner = read_owner(registry, call);
  if (!owner) co_return std::unexpected(owner.error());
  const auto target = find_target(registry, call, *owner);
  if (!target) co_return std::unexpected(target.error());
  if (!target->price) {
    co_return problem(422, "cannot_be_priced",
                      fmt::format("what {} costs is not known", target->model),
                      "state it with \"claviger model price\"");
  }
  if (target->price->has_unbounded_units) {
    co_return problem(422, "cannot_be_bounded",
                      fmt::format("what a request to {} incurs cannot be bounded", target->model),
                      "name a model that is billed by tokens");
  }
  std::string padded = call.request.body;
  padded.append(64, '\0');
  const EstimateModel model{.name = target->model,
                            .provider = target->provider,
                            .provider_model = target->provider_model,
                            .server = target->base_url.empty()
                                          ? EstimateModel::Server::provider
                                          : EstimateModel::Server::somebody_else,
                            .price = *target->price,
                            .limits = {.context_tokens_max = target->context_tokens_max,
                                       .output_tokens_max = target->output_tokens_max}};
  const auto found = estimate_request(model, *operation,
                                      std::string_view(padded).substr(0, call.request.body.size()),
                                      learn(registry, *target));
  if (!found) {
    const bool is_unreadable = found.error().code == EstimateFailure::Code::unreadable;
    co_return problem(is_unreadable ? 400 : 422,
                      is_unreadable ? "bad_request" : "cannot_be_bounded", found.error().message,
                      is_unreadable ? "send a request as an application would send it"
                                    : "name a model whose context is known, or send the content "
                                      "itself");
  }
  co_return Reply{.body = to_json(*found)};
}

}  // namespace claviger::console
