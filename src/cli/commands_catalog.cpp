/// What needs neither home nor server: the catalog, and arithmetic on requests and answers.

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <ranges>

#include "api/openai/openai_dialect.h"
#include "budget/admission.h"
#include "catalog/price_book.h"
#include "cli/commands.h"
#include "cli/secret_input.h"
#include "console/json_out.h"
#include "provider/adapter.h"

namespace claviger::cli {
namespace {

using catalog::Model;
using catalog::Price;
using console::JsonArray;
using console::JsonObject;

constexpr std::size_t kInputBytesMax = std::size_t{64} << 20;
constexpr std::size_t kFoundMax = 100;
/// simdjson reads up to 64 bytes behind a document's end.
constexpr std::size_t kPaddingBytes = 64;

std::string full_name(const Model& model) {
  return fmt::format("{}/{}", model.provider, model.name);
}

std::string to_json(const Model& model) {
  JsonObject json;
  json.text("model", full_name(model))
      .text("provider", model.provider)
      .text("name", model.name)
      .number("context_tokens_max", model.context_tokens_max)
      .number("output_tokens_max", model.output_tokens_max);
  if (!model.price) return json.null("price").finish();
  return json
      .raw("price", JsonObject()
                        .rate("input_usd_per_million", model.price->input)
                        .rate("cached_input_usd_per_million", model.price->cached_input)
                        .rate("output_usd_per_million", model.price->output)
                        .text("source", model.price->source)
                        .text("dated", model.price->dated)
                        .finish())
      .finish();
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool contains(std::string_view text, std::string_view part) {
  return std::ranges::search(text, part, [](char a, char b) {
           return lower(a) == lower(b);
         }).begin() != text.end();
}

std::vector<const Model*> search_models(const catalog::PriceBook& book, std::string_view part) {
  std::vector<const Model*> found;
  for (const Model& model : book.models()) {
    if (contains(full_name(model), part)) found.push_back(&model);
  }
  return found;
}

/// `provider/model`, or a bare name where one provider has it.
Outcome<const Model*> find_model(const catalog::PriceBook& book, std::string_view named) {
  const std::size_t slash = named.find('/');
  if (slash != std::string_view::npos) {
    const std::string_view provider = catalog::canonical_provider(named.substr(0, slash));
    if (const Model* const model = book.find(provider, named.substr(slash + 1))) return model;
  }
  std::vector<const Model*> same;
  for (const Model& model : book.models()) {
    if (model.name == named) same.push_back(&model);
  }
  if (same.size() == 1) return same.front();
  if (same.size() > 1) {
    return refused(fmt::format("several providers have a model \"{}\"; name it in full, e.g. {}",
                               printable(named), full_name(*same.front())));
  }
  return refused(
      fmt::format("the catalog has no model \"{}\"; \"claviger catalog search WORD\" "
                  "finds those that it has",
                  printable(named)));
}

Outcome<const Price*> price_of(const Model& model) {
  if (model.price) return model.price.get();
  return refused(fmt::format("the catalog knows {} but not its price", full_name(model)));
}

struct Input {
  std::string text;
  std::size_t bytes = 0;  ///< Without the padding.
  std::string_view view() const { return std::string_view(text).substr(0, bytes); }
};

Outcome<Input> read_input() {
  auto text = text_from_stdin(kInputBytesMax);
  if (!text) return std::unexpected(text.error());
  Input input{.text = std::move(*text), .bytes = 0};
  input.bytes = input.text.size();
  input.text.append(kPaddingBytes, '\0');
  return input;
}

Outcome<std::string> answer_cost_json(const Model& model, std::string_view body) {
  const auto price = price_of(model);
  if (!price) return std::unexpected(price.error());
  const auto* const adapter = provider::adapter_for(exchange::DialectId::openai);
  const auto reading = adapter->read_answer(exchange::Operation::chat, body);
  if (reading.usage_state == provider::UsageState::impossible) {
    return refused("the answer's usage is impossible (negative, or beyond all reason)");
  }
  if (reading.usage_state == provider::UsageState::absent) {
    return refused(
        "the answer has no usage; give the whole JSON of an answer, as the provider "
        "sent it");
  }
  JsonArray lines;
  for (const catalog::CostLine& line : catalog::lines_of(reading.usage, **price)) {
    lines.add(JsonObject()
                  .text("kind", line.kind)
                  .number("tokens", line.units)
                  .rate("usd_per_million", line.rate)
                  .text("cost_usd", catalog::decimal_of_femtos(line.amount_femtos))
                  .finish());
  }
  JsonObject json;
  json.text("model", full_name(model)).usd("cost_usd", catalog::cost_of(reading.usage, **price));
  return json.raw("lines", lines.finish())
      .usd("stated_cost_usd", reading.usage.stated_cost)
      .text("source", (*price)->source)
      .text("dated", (*price)->dated)
      .finish();
}

/// Every line of the file in order; a bad one gets `error`, and the status is then 1.
Outcome<void> price_batch(const Model& model, const std::string& file) {
  std::ifstream lines(file, std::ios::binary);
  if (!lines) return refused(fmt::format("the file {} cannot be read", file));
  std::size_t bad = 0;
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line);) {
    ++count;
    const std::size_t bytes = line.size();
    line.append(kPaddingBytes, '\0');
    const auto priced = answer_cost_json(model, std::string_view(line).substr(0, bytes));
    if (priced) {
      say(*priced);
    } else {
      ++bad;
      say(JsonObject().text("error", priced.error().message).finish());
    }
  }
  if (bad == 0) return {};
  return refused(fmt::format("{} of {} lines could not be priced", bad, count));
}

}  // namespace

Outcome<void> catalog_show(Session& session, const Arguments& arguments) {
  const auto book = catalog::PriceBook::embedded();
  const auto model = find_model(*book, arguments.subject);
  if (!model) return std::unexpected(model.error());
  if (session.as_json) {
    say(to_json(**model));
    return {};
  }
  const Model& found = **model;
  say(full_name(found));
  if (found.price) {
    say(fmt::format("  per million tokens: ${} in, ${} in from the provider's cache, ${} out",
                    console::per_million(found.price->input),
                    console::per_million(found.price->cached_input),
                    console::per_million(found.price->output)));
    say(fmt::format("  source: {} ({})", found.price->source, found.price->dated));
  } else {
    say("  its price is not known: state your own with \"claviger model price\"");
  }
  if (found.context_tokens_max > 0) {
    say(fmt::format("  context: {} tokens, of which at most {} out", found.context_tokens_max,
                    found.output_tokens_max > 0 ? std::to_string(found.output_tokens_max)
                                                : std::string("all")));
  }
  return {};
}

Outcome<void> catalog_search(Session& session, const Arguments& arguments) {
  const auto book = catalog::PriceBook::embedded();
  const auto found = search_models(*book, arguments.subject);
  if (session.as_json) {
    say(console::list_of(found, [](const Model* model) { return to_json(*model); }));
    return {};
  }
  if (found.empty()) {
    return refused(fmt::format("the catalog has no model with \"{}\" in its name",
                               printable(arguments.subject)));
  }
  Table table;
  table.add_column("MODEL");
  table.add_column("IN/M", Align::right);
  table.add_column("OUT/M", Align::right);
  table.add_column("CONTEXT", Align::right);
  for (const Model* const model : found | std::views::take(kFoundMax)) {
    table.add_row(
        {full_name(*model), model->price ? "$" + console::per_million(model->price->input) : "-",
         model->price ? "$" + console::per_million(model->price->output) : "-",
         model->context_tokens_max > 0 ? std::to_string(model->context_tokens_max) : "-"});
  }
  say(table.text());
  if (found.size() > kFoundMax) {
    say(fmt::format("… and {} more; search for more of the name", found.size() - kFoundMax));
  }
  return {};
}

Outcome<void> estimate(Session& session, const Arguments& arguments) {
  const auto book = catalog::PriceBook::embedded();
  const auto model = find_model(*book, arguments.model);
  if (!model) return std::unexpected(model.error());
  const auto price = price_of(**model);
  if (!price) return std::unexpected(price.error());
  const auto input = read_input();
  if (!input) return std::unexpected(input.error());
  const auto request = api::OpenAiDialect().read(exchange::Operation::chat, input->view());
  if (!request) {
    return refused(fmt::format("the request on standard input cannot be read: {}",
                               printable(request.error().message)));
  }
  const auto bound = budget::bound_request(*request, **price,
                                           {.context_tokens_max = (*model)->context_tokens_max,
                                            .output_tokens_max = (*model)->output_tokens_max});
  if (!bound) {
    return refused(
        "what this request may cost cannot be bounded: it refers to content whose "
        "size is not in it, and the model's context is not known");
  }
  if (session.as_json) {
    say(JsonObject()
            .text("model", full_name(**model))
            .number("input_tokens_max", bound->input_tokens_max)
            .number("output_tokens_max", bound->output_tokens_max)
            .number("choices", bound->choices)
            .usd("cost_usd_max", bound->cost_max)
            .texts("unbounded_fields", request->unbounded_fields)
            .text("source", (*price)->source)
            .text("dated", (*price)->dated)
            .finish());
    return {};
  }
  say(fmt::format(
      "At most {} on {}: up to {} tokens in, up to {} out{}.", to_display(bound->cost_max),
      full_name(**model), bound->input_tokens_max, bound->output_tokens_max,
      bound->choices > 1 ? fmt::format(" for each of {} choices", bound->choices) : ""));
  say("This is what would be held; what it really costs is settled from the provider's usage.");
  for (const std::string& field : request->unbounded_fields) {
    say(fmt::format("Beyond this: {} may cost what nobody can tell beforehand.", printable(field)));
  }
  return {};
}

Outcome<void> price_answer(Session& session, const Arguments& arguments) {
  const auto book = catalog::PriceBook::embedded();
  const std::string named = arguments.provider.empty()
                                ? arguments.model
                                : fmt::format("{}/{}", arguments.provider, arguments.model);
  const auto model = find_model(*book, named);
  if (!model) return std::unexpected(model.error());
  if (!arguments.batch_file.empty()) return price_batch(**model, arguments.batch_file);
  const auto input = read_input();
  if (!input) return std::unexpected(input.error());
  const auto priced = answer_cost_json(**model, input->view());
  if (!priced) return std::unexpected(priced.error());
  if (session.as_json) {
    say(*priced);
    return {};
  }
  const auto* const adapter = provider::adapter_for(exchange::DialectId::openai);
  const auto usage = adapter->read_answer(exchange::Operation::chat, input->view()).usage;
  const Price& price = *(*model)->price;
  for (const catalog::CostLine& line : catalog::lines_of(usage, price)) {
    say(fmt::format("{:>20}  {:>10} tokens at ${} per million", line.kind, line.units,
                    console::per_million(line.rate)));
  }
  say(fmt::format("{:>20}  ${}  ({}, {})", "cost", to_decimal(catalog::cost_of(usage, price)),
                  price.source, price.dated));
  if (usage.stated_cost) {
    say(fmt::format("{:>20}  ${}", "the provider says", to_decimal(*usage.stated_cost)));
  }
  return {};
}

}  // namespace claviger::cli
