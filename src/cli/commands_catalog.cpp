/// What needs neither home nor server: the catalog, and arithmetic on requests and answers.

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "catalog/price_book.h"
#include "cli/commands.h"
#include "cli/commands_catalog.h"
#include "cli/secret_input.h"
#include "console/json_out.h"

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

/// Every rate that the card states, by its name and as people write it.
struct ShownRate {
  std::string name;
  std::string usd;  ///< Per million tokens, or per piece.
};

std::vector<ShownRate> token_rates(const catalog::TokenRates& rates) {
  std::vector<ShownRate> shown = {{"input", console::per_million(rates.input)},
                                  {"cached_input", console::per_million(rates.cached_input)},
                                  {"cache_write", console::per_million(rates.cache_write)},
                                  {"cache_write_1h", console::per_million(rates.cache_write_1h)},
                                  {"output", console::per_million(rates.output)}};
  const auto add = [&](std::string name, std::optional<PicoUsdPerUnit> rate) {
    if (rate) shown.push_back({std::move(name), console::per_million(*rate)});
  };
  add("reasoning", rates.reasoning);
  add("audio_input", rates.audio_input);
  add("cached_audio", rates.cached_audio);
  add("audio_output", rates.audio_output);
  add("image_input", rates.image_input);
  add("cached_image", rates.cached_image);
  add("image_output", rates.image_output);
  return shown;
}

std::vector<ShownRate> piece_rates(const catalog::RateCard& card) {
  constexpr unsigned kFemtosPerPico = 1000;
  std::vector<ShownRate> shown;
  const auto add = [&](std::string_view name, PicoUsdPerUnit rate) {
    const auto femtos = static_cast<unsigned __int128>(rate.picos) * kFemtosPerPico;
    shown.push_back({std::string(name), catalog::decimal_of_femtos(femtos)});
  };
  for (std::size_t i = 0; i < exchange::units_count; ++i) {
    const auto unit = static_cast<exchange::Unit>(i);
    if (const auto rate = card.units[unit]) add(exchange::to_string(unit), *rate);
  }
  if (card.per_request.picos != 0) add("request", card.per_request);
  return shown;
}

std::string to_json(const std::vector<ShownRate>& rates) {
  JsonObject json;
  for (const ShownRate& rate : rates) json.text(rate.name, rate.usd);
  return json.finish();
}

std::string to_json(const catalog::RateCard& card) {
  JsonArray tiers;
  for (const catalog::ContextTier& tier : card.context_tiers) {
    tiers.add(JsonObject()
                  .number("input_tokens_above", tier.input_tokens_above)
                  .raw("usd_per_million", to_json(token_rates(tier.rates)))
                  .finish());
  }
  return JsonObject()
      .raw("usd_per_million", to_json(token_rates(card)))
      .raw("context_tiers", tiers.finish())
      .raw("usd_per_piece", to_json(piece_rates(card)))
      .finish();
}

std::string to_json(const Price& price) {
  JsonObject tiers;
  for (const catalog::ServiceTierCard& card : price.service_tiers) {
    tiers.raw(exchange::to_string(card.tier), to_json(card.rates));
  }
  return JsonObject()
      .rate("input_usd_per_million", price.input)
      .rate("cached_input_usd_per_million", price.cached_input)
      .rate("output_usd_per_million", price.output)
      .raw("standard", to_json(static_cast<const catalog::RateCard&>(price)))
      .raw("service_tiers", tiers.finish())
      .number("regional_permille", price.regional_permille)
      .truth("bills_tokens", price.bills_tokens)
      .truth("exact", price.kind == catalog::PriceKind::exact)
      .truth("bounded", !price.has_unbounded_units)
      .text("source", price.source)
      .text("dated", price.dated)
      .finish();
}

std::string to_json(const Model& model) {
  JsonObject json;
  json.text("model", full_name(model))
      .text("provider", model.provider)
      .text("name", model.name)
      .text("operation", model.operation)
      .number("context_tokens_max", model.context_tokens_max)
      .number("output_tokens_max", model.output_tokens_max);
  if (!model.price) return json.null("price").finish();
  return json.raw("price", to_json(*model.price)).finish();
}

std::string joined(const std::vector<ShownRate>& rates) {
  std::string text;
  for (const ShownRate& rate : rates) {
    text += fmt::format("{}{} ${}", text.empty() ? "" : ", ", rate.name, rate.usd);
  }
  return text;
}

void say_card(std::string_view title, const catalog::RateCard& card) {
  say(fmt::format("  {}: {} per million tokens", title, joined(token_rates(card))));
  for (const catalog::ContextTier& tier : card.context_tiers) {
    say(fmt::format("    above {} tokens in: {}", tier.input_tokens_above,
                    joined(token_rates(tier.rates))));
  }
  const auto pieces = piece_rates(card);
  if (!pieces.empty()) say(fmt::format("    each: {}", joined(pieces)));
}

void say_price(const Price& price) {
  if (price.bills_tokens) {
    say_card("standard", price);
  } else {
    say(fmt::format("  each: {}", joined(piece_rates(price))));
  }
  for (const catalog::ServiceTierCard& card : price.service_tiers) {
    say_card(exchange::to_string(card.tier), card.rates);
  }
  if (price.regional_permille != 1000) {
    say(fmt::format("  kept in a region: tokens cost {}.{} % more",
                    (price.regional_permille - 1000) / 10, price.regional_permille % 10));
  }
  if (price.kind != catalog::PriceKind::exact) say("  these are the dearest rates of several");
  if (price.has_unbounded_units) {
    say("  what a request incurs cannot be bounded: answers can be priced, requests are refused");
  }
  say(fmt::format("  source: {} ({})", price.source, price.dated));
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

}  // namespace

std::string full_name(const Model& model) {
  return fmt::format("{}/{}", model.provider, model.name);
}

Outcome<const Model*> find_model(const catalog::PriceBook& book, std::string_view named) {
  const std::size_t slash = named.find('/');
  if (slash != std::string_view::npos) {
    const auto found =
        catalog::resolve_model(book, named.substr(0, slash), named.substr(slash + 1));
    if (found.model != nullptr) return found.model;
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

Outcome<Input> read_input() {
  auto text = text_from_stdin(kInputBytesMax);
  if (!text) return std::unexpected(text.error());
  Input input{.text = std::move(*text), .bytes = 0};
  input.bytes = input.text.size();
  input.text.append(kPaddingBytes, '\0');
  return input;
}

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
    say_price(*found.price);
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

}  // namespace claviger::cli
