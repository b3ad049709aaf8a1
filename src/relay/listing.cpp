/// What callers may ask about: the models that they can use, and their own past requests.

#include <fmt/format.h>

#include "access/model_pattern.h"
#include "record/record_json.h"
#include "relay/failure.h"
#include "relay/relay.h"

namespace claviger::relay {
namespace {

api::ListedModel listed(std::string id) {
  const std::size_t slash = id.find('/');
  api::ListedModel model;
  model.owned_by = id.substr(0, slash);
  model.id = std::move(id);
  return model;
}

}  // namespace

Task<void> Relay::serve_models(net::ServerConnection& caller, const net::http::Target& target,
                               const api::Dialect& dialect) {
  auto key = recognise(caller, target);
  if (!key) co_return co_await answer_error(caller, dialect, std::move(key.error()), nullptr);
  std::string body;
  std::string_view rest =
      target.path.substr(target.path.find("/models") + std::string_view("/models").size());
  if (rest.empty()) {
    std::vector<api::ListedModel> models;
    for (std::string& id : world_->routes->models_of((*key)->owner)) {
      if (access::may_use(**key, id)) models.push_back(listed(std::move(id)));
    }
    body = dialect.models_body(models);
  } else {
    std::string id;
    if (!net::http::decode_segment(rest.substr(1), id)) {
      co_return co_await answer_error(caller, dialect, bad_target("the model id is malformed"),
                                      nullptr);
    }
    const auto found = world_->routes->plan(id, (*key)->owner);
    if (!found) {
      co_return co_await answer_error(caller, dialect, not_routed(found.error(), id), nullptr);
    }
    if (!access::may_use(**key, found->first.model)) {
      co_return co_await answer_error(caller, dialect, model_not_allowed(id), nullptr);
    }
    // An alias is shown under its own name: that is what the application may rely on.
    body = dialect.model_body(listed(found->alternatives.empty() ? found->first.model : id));
  }
  net::http::HeadWriter head = caller.answer(200);
  if (!co_await caller.send(head, "application/json", body)) caller.close_after_answer();
}

Task<void> Relay::serve_past_request(net::ServerConnection& caller, const net::http::Target& target,
                                     const api::Dialect& dialect) {
  auto key = recognise(caller, target);
  if (!key) co_return co_await answer_error(caller, dialect, std::move(key.error()), nullptr);
  const VirtualKeyId asking = (*key)->id;
  const std::string_view text = target.path.substr(std::string_view("/v1/requests/").size());
  const auto id = RequestId::parse(text);
  std::expected<record::Record, record::RecordError> found =
      std::unexpected(record::RecordError::not_found);
  if (id) found = co_await parts_.history->find(*id);
  // Another key's request does not exist as far as this key is concerned.
  if (!found || found->key != asking) {
    const bool is_gone = found || found.error() == record::RecordError::not_found;
    co_return co_await answer_error(caller, dialect,
                                    is_gone ? unknown_request() : records_unavailable(), nullptr);
  }
  const std::string body = record::to_json(*found);
  net::http::HeadWriter head = caller.answer(200);
  if (!co_await caller.send(head, "application/json", body)) caller.close_after_answer();
}

}  // namespace claviger::relay
