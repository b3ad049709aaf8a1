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

constexpr std::string_view kRequests = "/v1/requests/";

/// A record's JSON with what its caller said of it.
std::string with_feedback(std::string record, const std::optional<record::Feedback>& feedback) {
  record.pop_back();
  return fmt::format("{},\"feedback\":{}}}", record, record::to_json(feedback));
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

Task<std::expected<PastRequest, Failure>> Relay::find_own(std::string_view text,
                                                          VirtualKeyId asking) {
  const auto id = RequestId::parse(text);
  if (!id) co_return std::unexpected(unknown_request());
  auto found = co_await parts_.history->find(*id);
  if (!found && found.error() != record::RecordError::not_found) {
    co_return std::unexpected(records_unavailable());
  }
  if (!found || found->record.key != asking) co_return std::unexpected(unknown_request());
  co_return std::move(*found);
}

Task<void> Relay::serve_past_request(net::ServerConnection& caller, const net::http::Target& target,
                                     const api::Dialect& dialect) {
  auto key = recognise(caller, target);
  if (!key) co_return co_await answer_error(caller, dialect, std::move(key.error()), nullptr);
  auto found = co_await find_own(target.path.substr(kRequests.size()), (*key)->id);
  if (!found) co_return co_await answer_error(caller, dialect, std::move(found.error()), nullptr);
  const std::string body = with_feedback(record::to_json(found->record), found->feedback);
  net::http::HeadWriter head = caller.answer(200);
  if (!co_await caller.send(head, "application/json", body)) caller.close_after_answer();
}

Task<void> Relay::serve_feedback(net::ServerConnection& caller, const net::http::Target& target,
                                 const api::Dialect& dialect) {
  auto key = recognise(caller, target);
  if (!key) co_return co_await answer_error(caller, dialect, std::move(key.error()), nullptr);
  const VirtualKeyId asking = (*key)->id;
  // It is written down, so it keeps the key's pace as a request does.
  Turn turn;
  if (const auto pace = (*key)->pace) {
    const auto entered = pace->enter((*key)->limits, parts_.reactor.now());
    if (!entered) {
      co_return co_await answer_error(caller, dialect, too_fast(entered.error()), nullptr);
    }
    turn = Turn(pace, (*key)->limits, parts_.reactor.clock());
  }
  const net::http::RequestHead& head = caller.head();
  if (head.body == net::http::Body::length &&
      head.content_length > record::feedback_body_bytes_max) {
    co_return co_await answer_error(caller, dialect, feedback_too_large(), nullptr);
  }
  std::string id(target.path.substr(kRequests.size()));
  id.resize(id.size() - std::string_view("/feedback").size());
  if (const auto read = co_await caller.read_body(); !read) {
    if (read.error().status == 0) co_return caller.close_after_answer();
    co_return co_await answer_error(
        caller, dialect, not_whole(read.error().status, read.error().code, read.error().message),
        nullptr);
  }
  auto feedback = record::read_feedback(caller.body());
  if (!feedback) {
    co_return co_await answer_error(caller, dialect,
                                    bad_request({.code = exchange::BadRequest::Code::out_of_range,
                                                 .message = feedback.error()}),
                                    nullptr);
  }
  auto found = co_await find_own(id, asking);
  if (!found) co_return co_await answer_error(caller, dialect, std::move(found.error()), nullptr);
  feedback->request = found->record.id;
  feedback->given_at = parts_.reactor.clock().wall_now();
  if (const auto kept = co_await parts_.history->keep(*feedback); !kept) {
    co_return co_await answer_error(caller, dialect, records_unavailable(), nullptr);
  }
  const std::string body = with_feedback(record::to_json(found->record), *feedback);
  net::http::HeadWriter answer = caller.answer(200);
  if (!co_await caller.send(answer, "application/json", body)) caller.close_after_answer();
}

}  // namespace claviger::relay
