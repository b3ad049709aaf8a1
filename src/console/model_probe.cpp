/// Trying a model file out: starts its runner and has it generate a few tokens. Costs nothing
/// and counts against no budget: it is the operator who asks, and the machine is theirs.

#include <fmt/format.h>

#include <boost/json/parse.hpp>

#include "console/json_out.h"
#include "console/provider_call.h"
#include "console/routes.h"
#include "local/available_memory.h"
#include "local/model_inspection.h"

namespace claviger::console {
namespace {

constexpr Duration kProbeTimeMax = std::chrono::seconds(180);
constexpr std::string_view kChatBody =
    R"({"messages":[{"role":"user","content":"Say hello in one sentence."}],)"
    R"("max_tokens":32,"temperature":0})";
constexpr std::string_view kEmbeddingsBody = R"({"input":"hello"})";

std::string_view code_of(route::RunnerError error) {
  switch (error) {
    case route::RunnerError::no_runner:
      return "no_runner";
    case route::RunnerError::no_sandbox:
      return "no_sandbox";
    case route::RunnerError::model_missing:
      return "model_missing";
    case route::RunnerError::not_enough_memory:
      return "not_enough_memory";
    case route::RunnerError::start_failed:
      return "start_failed";
    case route::RunnerError::too_slow:
      return "too_slow";
    case route::RunnerError::backing_off:
      return "backing_off";
    case route::RunnerError::stopping:
      return "stopping";
  }
  return "start_failed";
}

std::unexpected<Problem> of_runner(const route::RunnerFailure& failure) {
  return problem(503, std::string(code_of(failure.error)), failure.message,
                 "\"claviger doctor\" says what this machine lacks");
}

/// What the answer says of itself; 0 and empty where it does not.
struct Said {
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::string text;
};

Said read_answer(std::string_view body) {
  Said said;
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse({body.data(), body.size()}, error);
  if (error || !value.is_object()) return said;
  const auto number = [&](const char* name) -> std::int64_t {
    const auto* const usage = value.get_object().if_contains("usage");
    const auto* const count =
        usage != nullptr && usage->is_object() ? usage->get_object().if_contains(name) : nullptr;
    return count != nullptr && count->is_int64() ? count->get_int64() : 0;
  };
  said.input_tokens = number("prompt_tokens");
  said.output_tokens = number("completion_tokens");
  boost::json::error_code missing;
  if (const auto* const content = value.find_pointer("/choices/0/message/content", missing);
      content != nullptr && content->is_string()) {
    said.text = content->get_string().c_str();
  }
  return said;
}

/// Tokens in a second with one digit behind the point, in whole numbers.
std::string per_second(std::int64_t tokens, Duration took) {
  const auto took_us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  const std::int64_t tenths = took_us <= 0 ? 0 : tokens * 10'000'000 / took_us;
  return fmt::format("{}.{}", tenths / 10, tenths % 10);
}

}  // namespace

Task<Outcome<Reply>> probe_model(Registry& registry, Call& call) {
  const auto found = registry.local_model(call.parts[0]);
  if (!found) co_return std::unexpected(found.error());
  const local::LocalModel model = **found;  // Kept: it may be removed while it loads.
  auto* const reactor = dynamic_cast<net::Reactor*>(Executor::current());
  if (registry.parts.runner == nullptr || reactor == nullptr) {
    co_return of_runner(
        {.error = route::RunnerError::no_runner, .message = "this server runs no model files"});
  }
  const bool embeds = model.options.purpose == local::ModelPurpose::embed;
  const Clock& clock = reactor->clock();
  const Instant started = clock.now();
  const Deadline deadline(started + kProbeTimeMax);
  const auto lease = co_await registry.parts.runner->acquire(model.id, deadline);
  if (!lease) co_return of_runner(lease.error());
  const Instant ready = clock.now();

  const ProviderCall request{.endpoint = {.unix_path = lease->socket_path()},
                             .method = "POST",
                             .target = embeds ? "/v1/embeddings" : "/v1/chat/completions",
                             .auth_header = "authorization",
                             .auth_prefix = "Bearer ",
                             .key = lease->token().reveal(),
                             .body = std::string(embeds ? kEmbeddingsBody : kChatBody)};
  const auto answer = co_await call_provider(*reactor, registry.parts.egress, request, deadline);
  const Duration took = clock.now() - ready;
  if (!answer) co_return problem(502, "runner_failed", answer.error().message, "try again");
  if (answer->status != 200) {
    co_return problem(502, "runner_failed",
                      fmt::format("the runner answered {} to a small request", answer->status),
                      "check the model's chat template and options");
  }
  const Said said = read_answer(answer->body);
  const auto milliseconds = [](Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  };
  const auto inspected =
      local::inspect(model, local::RunnerShape{}, local::available_memory_bytes());
  JsonObject json;
  json.id("id", model.id)
      .text("model", "local/" + model.name)
      .number("start_ms", milliseconds(ready - started))
      .number("answer_ms", milliseconds(took))
      .number("input_tokens", said.input_tokens)
      .number("output_tokens", said.output_tokens)
      .text("tokens_per_second", per_second(embeds ? said.input_tokens : said.output_tokens, took))
      .text("answer", said.text);
  if (inspected) {
    json.number("memory_bytes", inspected->need.total_bytes()).text("memory", inspected->summary);
  } else {
    json.null("memory_bytes").text("memory", inspected.error().message);
  }
  co_return Reply{.body = json.finish()};
}

}  // namespace claviger::console
