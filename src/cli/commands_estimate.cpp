/// `claviger estimate`: what a request on standard input would cost. Needs neither home nor server.

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/commands_catalog.h"
#include "console/request_estimate.h"

namespace claviger::cli {
namespace {

std::string_view words(budget::InputBoundBy by) {
  switch (by) {
    case budget::InputBoundBy::bytes:
      return "by its bytes, and formulas for what is not text";
    case budget::InputBoundBy::tokenizer:
      return "counted with the model's own tokenizer";
    case budget::InputBoundBy::context:
      return "as much as the model can read";
  }
  return "";
}

std::string_view words(budget::LikelyBy by) {
  switch (by) {
    case budget::LikelyBy::tokenizer:
      return "counted";
    case budget::LikelyBy::learned:
      return "learned from settled requests";
    case budget::LikelyBy::rule_of_thumb:
      return "by rule of thumb";
  }
  return "";
}

std::string choices_text(const budget::Bound& bound) {
  return bound.choices > 1 ? fmt::format(" for each of {} choices", bound.choices) : std::string();
}

void say_estimate(const console::RequestEstimate& estimate) {
  const budget::Estimate& numbers = estimate.numbers;
  const budget::Bound& cheap = numbers.cheap;
  say(console::headline(estimate));
  say(fmt::format("  in:  up to {} tokens ({}); likely {} ({})", cheap.input_tokens_max,
                  words(cheap.input_by), numbers.input_tokens_likely,
                  words(numbers.input_likely_by)));
  say(fmt::format("  out: up to {} tokens{}; likely {} ({})", cheap.output_tokens_max,
                  choices_text(cheap), numbers.output_tokens_likely,
                  words(numbers.output_likely_by)));
  if (cheap.parts.total() > 0) {
    say(fmt::format("  of what is not text: pictures {}, sound {}, documents {} tokens",
                    cheap.parts.images, cheap.parts.audio, cheap.parts.documents));
  }
  say(fmt::format("{} would be held, and settled at what the provider's usage says.",
                  to_display(cheap.cost_max)));
  if (numbers.exact) {
    say(
        fmt::format("Where that does not fit into a budget, {} would do: its texts are counted "
                    "exactly, {} tokens in at most.",
                    to_display(numbers.exact->cost_max), numbers.exact->input_tokens_max));
  }
  for (const std::string& field : estimate.unbounded_fields) {
    say(fmt::format("Beyond this: {} may cost what nobody can tell beforehand.", printable(field)));
  }
  for (const std::string& field : estimate.unknown_fields) {
    say(fmt::format("Not known here: {}; a hosted provider could charge for it.",
                    printable(field)));
  }
}

}  // namespace

Outcome<void> estimate(Session& session, const Arguments& arguments) {
  const auto book = catalog::PriceBook::embedded();
  const auto model = find_model(*book, arguments.model);
  if (!model) return std::unexpected(model.error());
  const auto price = price_of(**model);
  if (!price) return std::unexpected(price.error());
  const auto input = read_input();
  if (!input) return std::unexpected(input.error());
  const console::EstimateModel wanted{.name = full_name(**model),
                                      .provider = (*model)->provider,
                                      .provider_model = (*model)->name,
                                      .price = **price,
                                      .limits = {.context_tokens_max = (*model)->context_tokens_max,
                                                 .output_tokens_max = (*model)->output_tokens_max}};
  const auto found = console::estimate_request(
      wanted, arguments.is_embedding ? exchange::Operation::embeddings : exchange::Operation::chat,
      input->view(), std::nullopt);
  if (!found) {
    const bool is_unreadable = found.error().code == console::EstimateFailure::Code::unreadable;
    return refused(
        fmt::format("{}{}", is_unreadable ? "the request on standard input cannot be read: " : "",
                    printable(found.error().message)));
  }
  if ((*price)->has_unbounded_units) {
    return refused(
        fmt::format("what a request to {} incurs cannot be bounded: answers can be "
                    "priced, requests are refused",
                    full_name(**model)));
  }
  if (session.as_json) {
    say(console::to_json(*found));
  } else {
    say_estimate(*found);
  }
  return {};
}

}  // namespace claviger::cli
