/// `claviger price`: what an answer cost, from the provider's own usage, line by line. Needs
/// neither home nor server.

#include <fmt/format.h>

#include <fstream>
#include <iostream>

#include "catalog/price_book.h"
#include "cli/commands.h"
#include "cli/secret_input.h"
#include "console/json_out.h"
#include "console/text_forms.h"
#include "exchange/json_tree.h"
#include "provider/adapter.h"
#include "provider/usage_reader.h"

namespace claviger::cli {
namespace {

using catalog::CostLine;
using catalog::Price;
using console::JsonArray;
using console::JsonObject;
using exchange::Unit;
using exchange::Usage;

constexpr std::size_t kAnswerBytesMax = std::size_t{64} << 20;
constexpr std::size_t kIdBytesMax = 4096;

/// One answer and whose it is.
struct Case {
  std::string id;  ///< JSON; empty where there is none.
  std::string provider;
  std::string model;
  std::string dialect;
  std::string body;
  std::optional<exchange::ServiceTier> tier;  ///< As the caller of this command says.
  std::optional<WallTime> billed_at;
};

struct Priced {
  std::string provider;
  std::string model;  ///< Of the row; as it was named where no row was needed.
  std::string named;
  Usage usage;
  NanoUsd cost;
  bool is_exact = false;
  bool is_stated = false;  ///< The provider said so itself, and it charges what it states.
  std::vector<CostLine> lines;
  catalog::SharedPrice price;  ///< Null where only the provider's word counts.
};

/// "anthropic-messages" says how the body is written; where it is not known who answered, it
/// also says whose usual prices are meant.
std::string_view provider_of_dialect(std::string_view dialect) {
  constexpr std::pair<std::string_view, std::string_view> words[] = {
      {"anthropic", "anthropic"}, {"messages", "anthropic"},     {"gemini", "google"},
      {"google", "google"},       {"bedrock", "amazon-bedrock"}, {"converse", "amazon-bedrock"},
      {"cohere", "cohere"},       {"openai", "openai"}};
  for (const auto& [word, provider] : words) {
    if (dialect.find(word) != std::string_view::npos) return provider;
  }
  return {};
}

Outcome<catalog::FoundModel> find_row(const Case& one, std::string_view answer_model) {
  const auto book = catalog::PriceBook::embedded();
  auto found = catalog::resolve_model(*book, one.provider, one.model);
  // Azure's deployments have names of their own; the answer says what runs there.
  if (found.model == nullptr) found = catalog::resolve_model(*book, one.provider, answer_model);
  if (found.model != nullptr) return found;
  const std::string_view provider = catalog::canonical_provider(one.provider);
  bool knows_provider = false;
  for (const catalog::Model& model : book->models()) {
    knows_provider = knows_provider || model.provider == provider;
  }
  if (!knows_provider) {
    return refused(fmt::format(
        "the catalog has no prices of a provider \"{}\"; \"claviger catalog search WORD\" finds "
        "what it has, and an own endpoint's prices are its owner's to state",
        printable(one.provider)));
  }
  return refused(fmt::format(
      "the catalog has no price of \"{}\" at {}; \"claviger catalog search {}\" shows what is "
      "near, and \"claviger model price {}/{} --input … --output … --ceiling\" lets its owner "
      "state one",
      printable(one.model), provider, printable(one.model), provider, printable(one.model)));
}

Outcome<Usage> read_usage(const Case& one, provider::UsageReader& reader) {
  reader.read_recorded(one.body);
  if (reader.state() == provider::UsageState::absent) {
    return refused(
        "the answer has no usage; give the whole answer as the provider sent it (JSON, or the "
        "text of its event stream), or its usage object");
  }
  if (reader.state() == provider::UsageState::impossible) {
    return refused(
        "the answer's usage is impossible: a count is negative, not whole, beyond 2^53, or larger "
        "than what it is a part of. A relayed request would be settled at its hold");
  }
  Usage usage = reader.usage();
  if (one.tier) usage.service_tier = *one.tier;
  return usage;
}

Outcome<Priced> price_case(const Case& one, WallTime now) {
  const std::string provider(catalog::canonical_provider(one.provider));
  provider::UsageReader reader({.provider = provider, .model = one.model});
  auto usage = read_usage(one, reader);
  if (!usage) return std::unexpected(usage.error());
  const provider::Profile* const profile = provider::Profiles::embedded()->find(provider);
  const bool is_stated = usage->stated_cost && profile != nullptr && profile->states_cost;
  Priced priced{.provider = provider,
                .model = one.model,
                .named = one.model,
                .usage = *usage,
                .is_exact = is_stated,
                .is_stated = is_stated};
  const auto found = find_row(one, reader.model());
  const WallTime billed_at = one.billed_at.value_or(now);
  if (found) priced.price = found->model->price_at(billed_at);
  if (priced.price != nullptr) {
    priced.model = found->model->name;
    priced.usage = catalog::with_incurred(priced.usage, *priced.price);
    priced.lines = catalog::lines_of(priced.usage, *priced.price, billed_at);
  }
  if (is_stated) {
    priced.cost = *usage->stated_cost;
    return priced;
  }
  if (!found) return std::unexpected(found.error());
  if (priced.price == nullptr) {
    return refused(fmt::format("the catalog has no price of {}/{} for that time", provider,
                               printable(one.model)));
  }
  const auto missing = catalog::unpriced(priced.usage, *priced.price);
  if (!missing.empty()) {
    return refused(fmt::format(
        "the answer has {}, which the price of {}/{} says nothing of; so its cost is not known",
        fmt::join(missing, ", "), provider, found->model->name));
  }
  priced.cost = catalog::cost_of(priced.usage, *priced.price, billed_at);
  priced.is_exact = catalog::is_exact(priced.usage, *priced.price, billed_at);
  return priced;
}

std::string tokens_json(const Usage& usage) {
  JsonObject json;
  json.number("input", usage.input_tokens)
      .number("cached_input", usage.cached_input_tokens)
      .number("cache_write", usage.cache_write_tokens)
      .number("cache_write_1h", usage.cache_write_1h_tokens)
      .number("output", usage.output_tokens)
      .number("reasoning", usage.reasoning_tokens);
  const auto part = [&](std::string_view name, std::int64_t tokens) {
    if (tokens > 0) json.number(name, tokens);
  };
  part("audio_input", usage.audio_input_tokens);
  part("cached_audio", usage.cached_audio_tokens);
  part("audio_output", usage.audio_output_tokens);
  part("image_input", usage.image_input_tokens);
  part("cached_image", usage.cached_image_tokens);
  part("image_output", usage.image_output_tokens);
  return json.finish();
}

std::string pieces_json(const Usage& usage) {
  JsonObject json;
  for (std::size_t i = 0; i < exchange::units_count; ++i) {
    const auto unit = static_cast<Unit>(i);
    if (usage.units[unit] > 0) json.number(to_string(unit), usage.units[unit]);
  }
  return json.finish();
}

/// One unit's price, exactly: "0.000003".
std::string per_unit(PicoUsdPerUnit rate) {
  constexpr unsigned femtos_per_pico = 1000;
  return catalog::decimal_of_femtos(static_cast<unsigned __int128>(rate.picos) * femtos_per_pico);
}

std::string to_json(const Case& one, const Priced& priced) {
  JsonArray lines;
  for (const CostLine& line : priced.lines) {
    lines.add(JsonObject()
                  .text("kind", line.kind)
                  .number("units", line.units)
                  .text("usd_per_unit", per_unit(line.rate))
                  .text("cost_usd", catalog::decimal_of_femtos(line.amount_femtos))
                  .finish());
  }
  JsonArray rows;
  if (priced.price != nullptr) {
    rows.add(JsonObject()
                 .text("model", fmt::format("{}/{}", priced.provider, priced.model))
                 .text("service_tier", to_string(priced.usage.service_tier))
                 .text("source", priced.price->source)
                 .text("dated", priced.price->dated)
                 .finish());
  }
  JsonObject json;
  if (!one.id.empty()) json.raw("id", one.id);
  return json.text("provider", priced.provider)
      .text("model", priced.named)
      .raw("tokens", tokens_json(priced.usage))
      .raw("pieces", pieces_json(priced.usage))
      .usd("cost_usd", priced.cost)
      .text("cost_by", priced.is_stated ? "provider" : "catalog")
      .truth("exact", priced.is_exact)
      .usd("stated_cost_usd", priced.usage.stated_cost)
      .raw("lines", lines.finish())
      .raw("price_rows", rows.finish())
      .finish();
}

void say_lines(const Priced& priced) {
  for (const CostLine& line : priced.lines) {
    say(fmt::format("{:>22}  {:>12} at ${:<14} ${}", line.kind, line.units, per_unit(line.rate),
                    catalog::decimal_of_femtos(line.amount_femtos)));
  }
  say(fmt::format("{:>22}  ${}{}", "cost", to_decimal(priced.cost),
                  priced.is_exact ? "" : "  (at most; the exact price is not known)"));
  if (priced.price != nullptr) {
    say(fmt::format("{:>22}  {}/{}: {}, {}", "price", priced.provider, priced.model,
                    priced.price->source, priced.price->dated));
  }
  if (priced.usage.stated_cost) {
    say(fmt::format("{:>22}  ${}", "the provider says", to_decimal(*priced.usage.stated_cost)));
  }
}

/// Takes a line of a batch apart. The id is kept as JSON, whatever it is, so that even a bad
/// line's answer can be matched with it.
Outcome<void> read_case(std::string_view line, Case& one) {
  exchange::JsonTree tree;
  if (!tree.read(line) || !tree.root().is_object()) {
    return refused("the line is not a JSON object with `id`, `provider`, `model` and `body`");
  }
  const exchange::JsonNode root = tree.root();
  if (root["id"].exists() && root["id"].raw().size() <= kIdBytesMax) one.id = root["id"].raw();
  const auto text = [&](std::string_view key, std::string& target) {
    if (root[key].is_string()) target = root[key].text();
    return !root[key].says_something() || root[key].is_string();
  };
  for (const auto& [key, target] :
       {std::pair<std::string_view, std::string*>{"provider", &one.provider},
        {"model", &one.model},
        {"dialect", &one.dialect}}) {
    if (!text(key, *target)) return refused(fmt::format("`{}` must be a string", key));
  }
  const exchange::JsonNode body = root["body"];
  if (!body.says_something()) {
    return refused("`body` is missing: the provider's answer, its usage object, or stream text");
  }
  if (!body.is_object() && !body.is_array() && !body.is_string()) {
    return refused("`body` must be an object, a list of events, or the text of a stream");
  }
  one.body = body.is_string() ? body.text() : body.raw();
  if (root["service_tier"].says_something()) {
    one.tier = exchange::service_tier_of(root["service_tier"].text());
    if (!one.tier) return refused("`service_tier` is standard, batch, flex, priority or fast");
  }
  if (root["at"].says_something()) {
    one.billed_at = console::parse_time(root["at"].text());
    if (!one.billed_at) return refused("`at` must be a time such as 2026-11-25T10:00:00Z");
  }
  const std::size_t slash = one.model.find('/');
  if (one.provider.empty() && slash != std::string::npos) {
    one.provider = one.model.substr(0, slash);
    one.model.erase(0, slash + 1);
  }
  if (one.provider.empty()) one.provider = provider_of_dialect(one.dialect);
  for (char& c : one.provider) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  if (one.provider.empty()) return refused("`provider` is missing, e.g. \"openai\"");
  return {};
}

/// Every line in order; a bad one gets `error`, and the status is then 1.
Outcome<void> price_batch(const Session& session, const Arguments& arguments) {
  std::ifstream file;
  const bool is_stdin = arguments.batch_file == "-";
  if (!is_stdin) file.open(arguments.batch_file, std::ios::binary);
  std::istream& lines = is_stdin ? std::cin : file;
  if (!is_stdin && !file) {
    return refused(fmt::format("the file {} cannot be read", printable(arguments.batch_file)));
  }
  std::size_t bad = 0;
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    ++count;
    Case one{.provider = arguments.provider, .model = arguments.model};
    const auto read = read_case(line, one);
    const auto priced = read ? price_case(one, session.clock.wall_now())
                             : Outcome<Priced>(std::unexpected(read.error()));
    if (priced) {
      say(to_json(one, *priced));
      continue;
    }
    ++bad;
    JsonObject json;
    if (!one.id.empty()) json.raw("id", one.id);
    say(json.text("error", priced.error().message).finish());
  }
  if (bad == 0) return {};
  return refused(fmt::format("{} of {} lines could not be priced", bad, count));
}

}  // namespace

Outcome<void> price_answer(Session& session, const Arguments& arguments) {
  if (!arguments.batch_file.empty()) return price_batch(session, arguments);
  if (arguments.model.empty()) {
    return wrong_usage("say which model answered: --model ID (or give cases with --batch FILE)");
  }
  Case one{.provider = arguments.provider, .model = arguments.model};
  if (one.provider.empty()) {
    const std::size_t slash = one.model.find('/');
    if (slash == std::string::npos) {
      return wrong_usage("say who answered: --provider ID, or --model provider/model");
    }
    one.provider = one.model.substr(0, slash);
    one.model.erase(0, slash + 1);
  }
  auto body = text_from_stdin(kAnswerBytesMax);
  if (!body) return std::unexpected(body.error());
  one.body = std::move(*body);
  const auto priced = price_case(one, session.clock.wall_now());
  if (!priced) return std::unexpected(priced.error());
  if (session.as_json) {
    say(to_json(one, *priced));
  } else {
    say_lines(*priced);
  }
  return {};
}

}  // namespace claviger::cli
