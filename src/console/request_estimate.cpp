#include "console/request_estimate.h"

#include <fmt/format.h>

#include "api/openai/openai_dialect.h"
#include "api/openai/request_fields.h"
#include "console/json_out.h"
#include "exchange/json_tree.h"
#include "exchange/json_writer.h"

namespace claviger::console {
namespace {

using api::openai::FieldClass;

constexpr std::size_t kFieldNameBytesMax = 64;
/// A person waits for this, so more is worth counting than on a request's way.
constexpr std::size_t kCountedBytesMax = std::size_t{16} << 20;

std::optional<budget::CountedForEstimate> count_texts(const exchange::Request& request,
                                                      const budget::ModelFamily& family) {
  const auto* const tokenizer = family.exact_tokenizer();
  if (tokenizer == nullptr || request.body.size() > kCountedBytesMax) return std::nullopt;
  budget::CountedForEstimate counted;
  tokenize::Scratch scratch;
  for (const api::InputText& one : api::OpenAiDialect().input_texts(request)) {
    const std::int64_t tokens = tokenizer->count(one.text, scratch).tokens;
    const bool is_alone = one.place == api::InputText::Place::alone;
    counted.tokens_likely += tokens;
    counted.for_hold.tokens_max +=
        is_alone ? tokens : tokenizer->count_in_any_context(one.text, scratch).tokens;
    counted.for_hold.json_bytes += one.json_bytes;
  }
  return counted;
}

/// What of the messages is not text decides what bounds them.
FieldNote note_of_content(std::string_view field, const exchange::Request& request,
                          const budget::Estimate& numbers) {
  if (request.input_content == exchange::InputContent::text) {
    return {std::string(field), "bytes", "text: at most a token for each byte"};
  }
  if (numbers.cheap.parts.total() > 0) {
    return {std::string(field), "formula",
            "text by its bytes; pictures, sound and documents by their provider's formula"};
  }
  return {std::string(field), "context",
          "holds what cannot be seen here, or has no formula: at most what the model can read"};
}

FieldNote note_of(std::string_view field, const exchange::Request& request,
                  const budget::Estimate& numbers) {
  const FieldClass* const known = api::openai::field_class(request.operation, field);
  const std::string name(exchange::clipped(field, kFieldNameBytesMax));
  if (known == nullptr) {
    return {name, "nothing", "not known here: a provider could charge for it"};
  }
  switch (*known) {
    case FieldClass::messages:
    case FieldClass::embedding_input:
      return note_of_content(name, request, numbers);
    case FieldClass::content:
    case FieldClass::tools:
    case FieldClass::answer_form:
      return {name, "bytes", "becomes part of the prompt: at most a token for each byte"};
    case FieldClass::output_max:
    case FieldClass::output_max_legacy:
      return {name, "output", "bounds the answer; of two, the larger counts"};
    case FieldClass::choices:
      return {name, "output", "so many answers, each with the whole bound"};
    case FieldClass::prediction:
      return {name, "bytes", "what of it is not used is billed as output, beside the answer"};
    case FieldClass::unbounded:
    case FieldClass::modalities:
    case FieldClass::service_tier:
    case FieldClass::web_search_options:
      for (const std::string& one : request.unbounded_fields) {
        if (one.starts_with(field)) {
          return {name, "nothing", "may cost what nobody can tell beforehand"};
        }
      }
      for (const exchange::PricedField& one : request.extras.priced_fields) {
        if (one.field.starts_with(field)) {
          return {name, "price", "held at the dearest rate that it can be billed at"};
        }
      }
      return {name, "free", "changes no price as it is"};
    case FieldClass::free:
    case FieldClass::model:
    case FieldClass::stream:
    case FieldClass::stream_options:
    case FieldClass::end_user:
    case FieldClass::safety_identifier:
      break;
  }
  return {name, "free", "costs nothing by itself"};
}

std::string bound_json(const budget::Bound& bound) {
  return JsonObject()
      .text("input_bound_by", budget::to_string(bound.input_by))
      .number("input_tokens_max", bound.input_tokens_max)
      .number("text_tokens_max", bound.text_tokens_max)
      .number("image_tokens_max", bound.parts.images)
      .number("audio_tokens_max", bound.parts.audio)
      .number("document_tokens_max", bound.parts.documents)
      .number("output_tokens_max", bound.output_tokens_max)
      .usd("cost_usd_max", bound.cost_max)
      .finish();
}

}  // namespace

std::expected<RequestEstimate, EstimateFailure> estimate_request(
    const EstimateModel& model, exchange::Operation operation, std::string_view body,
    const std::optional<budget::LearnedFactors>& learned) {
  const auto request = api::OpenAiDialect().read(operation, body);
  if (!request) {
    return std::unexpected(EstimateFailure{.code = EstimateFailure::Code::unreadable,
                                           .message = request.error().message});
  }
  const auto& family = model.server == EstimateModel::Server::provider
                           ? budget::family_of(model.provider, model.provider_model)
                           : budget::family_of({}, {});
  const auto numbers = budget::estimate(*request, model.price, model.limits, family,
                                        count_texts(*request, family), learned);
  if (!numbers) {
    return std::unexpected(EstimateFailure{
        .code = EstimateFailure::Code::unbounded,
        .message = "what this request may cost cannot be bounded: it refers to content whose size "
                   "is not in it, and the model's context is not known"});
  }
  RequestEstimate result{.model = model.name,
                         .numbers = *numbers,
                         .tool_count = request->parts.tools,
                         .image_count = request->parts.images.size(),
                         .unbounded_fields = request->unbounded_fields,
                         .unknown_fields = request->unknown_fields,
                         .price_source = model.price.source,
                         .price_dated = model.price.dated};
  const std::string_view unpriced = budget::unpriced_field(*request, model.price, family);
  if (!unpriced.empty() && !model.price.is_free()) result.unbounded_fields.emplace_back(unpriced);
  exchange::JsonTree tree;
  if (tree.read(body)) {
    constexpr std::size_t kFieldsMax = 64;
    for (const exchange::JsonNode node : tree.root()) {
      if (result.fields.size() == kFieldsMax) break;
      if (node.says_something()) result.fields.push_back(note_of(node.key(), *request, *numbers));
    }
  }
  return result;
}

std::string to_json(const RequestEstimate& estimate) {
  const budget::Estimate& numbers = estimate.numbers;
  const budget::Bound& cheap = numbers.cheap;
  JsonArray fields;
  for (const FieldNote& note : estimate.fields) {
    fields.add(JsonObject()
                   .text("field", note.field)
                   .text("bounded_by", note.bounded_by)
                   .text("says", note.says)
                   .finish());
  }
  JsonObject json;
  json.text("model", estimate.model)
      .text("says", headline(estimate))
      .number("input_tokens_max", cheap.input_tokens_max)
      .number("input_tokens_likely", numbers.input_tokens_likely)
      .number("output_tokens_max", cheap.output_tokens_max)
      .number("output_tokens_likely", numbers.output_tokens_likely)
      .number("choices", cheap.choices)
      .usd("cost_usd_max", cheap.cost_max)
      .usd("cost_usd_likely", numbers.cost_likely)
      .text("input_bound_by", budget::to_string(cheap.input_by))
      .text("input_likely_by", budget::to_string(numbers.input_likely_by))
      .text("output_likely_by", budget::to_string(numbers.output_likely_by))
      .raw("bound", bound_json(cheap));
  if (numbers.exact) {
    json.raw("exact_bound", bound_json(*numbers.exact));
  } else {
    json.null("exact_bound");
  }
  return json.number("images", static_cast<std::int64_t>(estimate.image_count))
      .number("tools", estimate.tool_count)
      .raw("fields", fields.finish())
      .texts("unbounded_fields", estimate.unbounded_fields)
      .texts("unknown_fields", estimate.unknown_fields)
      .text("source", estimate.price_source)
      .text("dated", estimate.price_dated)
      .finish();
}

std::string headline(const RequestEstimate& estimate) {
  return fmt::format("A request like this costs at most {}, likely {}, on {}.",
                     to_display(estimate.numbers.cheap.cost_max),
                     to_display(estimate.numbers.cost_likely), estimate.model);
}

}  // namespace claviger::console
