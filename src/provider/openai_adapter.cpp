#include "provider/openai_adapter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "exchange/json_writer.h"
#include "provider/anthropic/anthropic_adapter.h"
#include "provider/body_edit.h"
#include "provider/gemini/gemini_adapter.h"
#include "provider/openai_answer.h"
#include "provider/responses/responses_adapter.h"

namespace claviger::provider {
namespace {

using exchange::Request;
using exchange::Span;

constexpr std::string_view wish_for_usage = R"({"include_usage":true})";

std::string_view at(const Request& request, Span place) {
  return request.body.substr(place.begin, place.end - place.begin);
}

bool is_null(const Request& request, Span place) {
  return at(request, place) == "null";
}

/// Where both names are written with a number, both are set. Where the only one written is
/// one that the provider ignores, the one that binds is added. OpenAI refuses a request with
/// both, so none is added where one that binds is there.
void bound_output(const Profile& profile, const Request& request, std::int64_t tokens,
                  BodyEdit& edit) {
  const std::string bound = std::to_string(tokens);
  Span null_of_profile_field;
  bool binds = false;
  const auto set = [&](std::string_view name, Span place) {
    if (place.empty()) return;
    const bool is_profile_field = name == profile.output_max_field;
    if (is_null(request, place)) {
      if (is_profile_field) null_of_profile_field = place;
      return;
    }
    edit.replace(place, bound);
    binds = binds || is_profile_field || profile.both_output_max_fields_bind;
  };
  set("max_completion_tokens", request.places.output_max_value);
  set("max_tokens", request.places.output_max_legacy_value);
  if (binds) return;
  if (null_of_profile_field.empty()) {
    edit.add_field(profile.output_max_field, bound);
  } else {
    edit.replace(null_of_profile_field, bound);
  }
}

void ask_for_usage(const Request& request, BodyEdit& edit) {
  const Span options = request.places.stream_options_value;
  const Span include = request.places.include_usage_value;
  if (options.empty()) {
    edit.add_field("stream_options", wish_for_usage);
  } else if (is_null(request, options)) {
    edit.replace(options, std::string(wish_for_usage));
  } else if (!include.empty()) {
    if (at(request, include) != "true") edit.replace(include, "true");
  } else {
    const std::string_view inside = at(request, options).substr(1);
    const bool is_empty = inside[inside.find_first_not_of(" \n\r\t")] == '}';
    const std::size_t behind_brace = options.begin + 1;
    edit.replace({.begin = behind_brace, .end = behind_brace},
                 is_empty ? R"("include_usage":true)" : R"("include_usage":true,)");
  }
}

/// Dollars per million tokens, exactly.
std::string dollars_per_million(PicoUsdPerUnit rate) {
  constexpr std::int64_t picos_per_dollar_per_million = 1'000'000;
  return fmt::format("{}.{:06}", rate.picos / picos_per_dollar_per_million,
                     rate.picos % picos_per_dollar_per_million);
}

/// OpenRouter's own field (https://openrouter.ai/docs/features/provider-routing as typed in npm
/// @openrouter/sdk 1.3.19, models/maxprice.d.ts, 2026-11). A caller who brings the field has
/// brought an unknown field, which counts as unbounded there; so it is never written twice.
void cap_price(const Request& request, const PriceCap& cap, BodyEdit& edit) {
  const auto& unknown = request.unknown_fields;
  if (unknown.size() >= exchange::named_fields_max) return;
  if (std::find(unknown.begin(), unknown.end(), "provider") != unknown.end()) return;
  edit.add_field("provider", openrouter_price_cap(cap));
}

}  // namespace

std::string openrouter_price_cap(const PriceCap& cap) {
  return fmt::format(R"({{"max_price":{{"prompt":{},"completion":{}}}}})",
                     dollars_per_million(cap.input), dollars_per_million(cap.output));
}

std::string OpenAiAdapter::path(const Profile& profile, const Request& request,
                                std::string_view /*model*/) const {
  switch (request.operation) {
    case exchange::Operation::chat:
      return profile.chat_path;
    case exchange::Operation::embeddings:
      return profile.embeddings_path;
    case exchange::Operation::count_tokens:
      return {};
  }
  return {};
}

void OpenAiAdapter::write_body(const Profile& profile, const Request& request, const Edits& edits,
                               std::string& out) const {
  BodyEdit edit(request);
  edit.replace(request.places.model_value, exchange::json_string(edits.model));
  if (request.operation == exchange::Operation::chat) {
    if (edits.output_tokens_max) bound_output(profile, request, *edits.output_tokens_max, edit);
    const bool is_stream = request.delivery == exchange::Delivery::streamed;
    if (is_stream && profile.takes_stream_usage) ask_for_usage(request, edit);
    if (edits.price_cap && profile.price_cap == PriceCapForm::openrouter) {
      cap_price(request, *edits.price_cap, edit);
    }
  }
  edit.write(out);
}

AnswerReading OpenAiAdapter::read_answer(exchange::Operation operation,
                                         std::string_view body) const {
  return openai::read_answer(operation, body);
}

AnswerReading OpenAiAdapter::read_event(std::string_view data,
                                        const exchange::Usage& /*before*/) const {
  return openai::read_event(data);
}

bool OpenAiAdapter::is_beginning(std::string_view data) const {
  return openai::is_beginning(data);
}

const Adapter* adapter_for(exchange::DialectId dialect) {
  static const OpenAiAdapter openai;
  static const AnthropicAdapter anthropic;
  static const GeminiAdapter gemini;
  static const ResponsesAdapter responses;
  switch (dialect) {
    case exchange::DialectId::openai:
      return &openai;
    case exchange::DialectId::anthropic:
      return &anthropic;
    case exchange::DialectId::gemini:
      return &gemini;
    case exchange::DialectId::openai_responses:
      return &responses;
  }
  return nullptr;
}

const Adapter* adapter_for(const Profile& profile, exchange::DialectId caller) {
  const bool is_responses = caller == exchange::DialectId::openai_responses;
  const bool speaks_it = is_responses && !profile.responses_path.empty();
  return adapter_for(speaks_it ? caller : profile.dialect);
}

}  // namespace claviger::provider
