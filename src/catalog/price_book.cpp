/// Reads data/prices.jsonl: one row per model. A line looks like this, rates in dollars per
/// million tokens as decimal strings, the last four keys optional like every rate but `input`:
///
///   {"provider": "openai", "model": "gpt-4o-mini", "input": "0.15", "cached_input": "0.075",
///    "output": "0.6", "context": 128000, "output_max": 16384, "source": "npm:…",
///    "dated": "2026-09-23", "long": {"input_tokens_above": 200000, "input": "0.3", …},
///    "upper_bound": true, "per_request": "0.01", "note": "…"}
///
/// `per_request` is in dollars per request.

#include "catalog/price_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

#include "data/prices_jsonl.h"
#include "exchange/json_scratch.h"

namespace claviger::catalog {
namespace {

using simdjson::SUCCESS;
using simdjson::ondemand::value;

struct RateFields {
  std::optional<PicoUsdPerUnit> input, cached_input, cache_write, cache_write_1h, output,
      audio_input;
};

/// Reads one line. Throws std::runtime_error, which the book gives the line's number.
class RowReader {
 public:
  Model read(simdjson::ondemand::document& document) {
    simdjson::ondemand::object object;
    require(document.get_object().get(object) == SUCCESS, "is not a JSON object");
    each_field(object, [this](std::string_view key, value& inner) { field(key, inner); });
    require(exchange::nothing_follows(document), "holds more than one object");
    require(!model_.provider.empty(), "lacks `provider`");
    require(!model_.name.empty(), "lacks `model`");
    require(!price_.source.empty(), "lacks `source`");
    require(!price_.dated.empty(), "lacks `dated`");
    finish_price();
    return std::move(model_);
  }

 private:
  [[noreturn]] static void fail(const std::string& what) { throw std::runtime_error(what); }
  static void require(bool holds, const char* otherwise) {
    if (!holds) fail(otherwise);
  }

  template <typename Each>
  static void each_field(simdjson::ondemand::object& object, Each&& each) {
    for (auto item : object) {
      simdjson::ondemand::field field;
      std::string_view key;
      require(std::move(item).get(field) == SUCCESS, "is not valid JSON");
      require(field.unescaped_key().get(key) == SUCCESS, "is not valid JSON");
      each(key, field.value());
    }
  }

  static std::string text(std::string_view key, value& inner) {
    std::string_view view;
    if (inner.get_string().get(view) != SUCCESS) fail(fmt::format("`{}` must be a string", key));
    return std::string(view);
  }
  static std::int64_t tokens(std::string_view key, value& inner) {
    std::int64_t number = 0;
    if (inner.get_int64().get(number) != SUCCESS || number < 1) {
      fail(fmt::format("`{}` must be a whole number above 0", key));
    }
    return number;
  }
  static PicoUsdPerUnit rate(std::string_view key, value& inner) {
    const auto parsed = parse_usd_per_million(text(key, inner));
    if (!parsed) fail(fmt::format("`{}` {}", key, explain(parsed.error())));
    return *parsed;
  }

  static bool rate_field(RateFields& rates, std::string_view key, value& inner) {
    if (key == "input") return set(rates.input, rate(key, inner));
    if (key == "cached_input") return set(rates.cached_input, rate(key, inner));
    if (key == "cache_write") return set(rates.cache_write, rate(key, inner));
    if (key == "cache_write_1h") return set(rates.cache_write_1h, rate(key, inner));
    if (key == "output") return set(rates.output, rate(key, inner));
    if (key == "audio_input") return set(rates.audio_input, rate(key, inner));
    return false;
  }
  static bool set(std::optional<PicoUsdPerUnit>& target, PicoUsdPerUnit rate) {
    target = rate;
    return true;
  }

  void field(std::string_view key, value& inner) {
    if (rate_field(base_, key, inner)) return;
    if (key == "provider") {
      model_.provider = text(key, inner);
    } else if (key == "model") {
      model_.name = text(key, inner);
    } else if (key == "source") {
      price_.source = text(key, inner);
    } else if (key == "dated") {
      price_.dated = text(key, inner);
    } else if (key == "note") {
      text(key, inner);  // For people who read the file.
    } else if (key == "context") {
      model_.context_tokens_max = tokens(key, inner);
    } else if (key == "output_max") {
      model_.output_tokens_max = tokens(key, inner);
    } else if (key == "per_request") {
      per_request(text(key, inner));
    } else if (key == "upper_bound") {
      bool is_bound = false;
      require(inner.get_bool().get(is_bound) == SUCCESS, "`upper_bound` must be true or false");
      price_.kind = is_bound ? PriceKind::upper_bound : PriceKind::exact;
    } else if (key == "long") {
      long_input(inner);
    } else {
      fail(fmt::format("has the unknown key `{}`", key));
    }
  }

  void per_request(const std::string& dollars) {
    const auto amount = parse_usd(dollars);
    if (!amount) fail(fmt::format("`per_request` {}", explain(amount.error())));
    constexpr std::int64_t picos_per_nano = 1000;
    require(amount->nanos() < std::numeric_limits<std::int64_t>::max() / picos_per_nano,
            "`per_request` is too large");
    price_.per_request = {amount->nanos() * picos_per_nano};
  }

  void long_input(value& inner) {
    simdjson::ondemand::object object;
    require(inner.get_object().get(object) == SUCCESS, "`long` must be an object");
    each_field(object, [this](std::string_view key, value& part) {
      if (key == "input_tokens_above") {
        long_above_ = tokens(key, part);
      } else if (!rate_field(long_, key, part)) {
        fail(fmt::format("has the unknown key `long.{}`", key));
      }
    });
    require(long_above_ > 0, "lacks `long.input_tokens_above`");
    require(long_.input.has_value(), "lacks `long.input`");
    require(!long_.audio_input, "prices sound in `long`, which cannot be kept");
  }

  /// Fills in what absent rates mean: cached reads and cache writes cost as input does, and an
  /// hour's write as five minutes'. A model without an output rate puts nothing out.
  template <typename Target>
  static void fill(Target& target, const RateFields& rates) {
    target.input = *rates.input;
    target.cached_input = rates.cached_input.value_or(target.input);
    target.cache_write = rates.cache_write.value_or(target.input);
    target.cache_write_1h = rates.cache_write_1h.value_or(target.cache_write);
    target.output = rates.output.value_or(PicoUsdPerUnit{0});
  }

  void finish_price() {
    require(base_.input.has_value(), "lacks `input`");
    fill(price_, base_);
    price_.audio_input = base_.audio_input;
    if (long_above_ > 0) {
      ContextTier tier{.input_tokens_above = long_above_, .rates = {}};
      fill(tier.rates, long_);
      // Sound keeps its own rate in long inputs where that is dearer.
      if (base_.audio_input)
        tier.rates.audio_input = std::max(*base_.audio_input, tier.rates.input);
      price_.context_tiers.push_back(std::move(tier));
    }
    model_.price = std::make_shared<const Price>(std::move(price_));
  }

  Model model_;
  Price price_{};
  RateFields base_;
  RateFields long_;
  std::int64_t long_above_ = 0;
};

using Key = std::pair<std::string_view, std::string_view>;

Key key_of(const Model& model) {
  return {model.provider, model.name};
}

class SortedPriceBook final : public PriceBook {
 public:
  explicit SortedPriceBook(std::vector<Model> models) : models_(std::move(models)) {}

  const Model* find(std::string_view provider, std::string_view name) const override {
    const Key wanted{provider, name};
    const auto found =
        std::lower_bound(models_.begin(), models_.end(), wanted,
                         [](const Model& model, const Key& key) { return key_of(model) < key; });
    return found != models_.end() && key_of(*found) == wanted ? &*found : nullptr;
  }
  const std::vector<Model>& models() const override { return models_; }

 private:
  std::vector<Model> models_;
};

Model read_row(std::string_view line) {
  Model model;
  const auto error =
      exchange::with_json(line, exchange::JsonPadding::absent,
                          [&](simdjson::ondemand::document& document, std::string_view) {
                            model = RowReader().read(document);
                          });
  if (error != SUCCESS) throw std::runtime_error("is not valid JSON");
  return model;
}

}  // namespace

std::shared_ptr<const PriceBook> PriceBook::embedded() {
  static const std::shared_ptr<const PriceBook> book = parse(data::prices_jsonl);
  return book;
}

std::shared_ptr<const PriceBook> PriceBook::parse(std::string_view jsonl) {
  std::vector<Model> models;
  std::size_t number = 0;
  while (!jsonl.empty()) {
    const std::size_t end = std::min(jsonl.find('\n'), jsonl.size());
    const std::string_view line = jsonl.substr(0, end);
    jsonl.remove_prefix(std::min(end + 1, jsonl.size()));
    ++number;
    if (line.empty()) continue;
    try {
      models.push_back(read_row(line));
    } catch (const std::runtime_error& error) {
      throw std::runtime_error(fmt::format("prices.jsonl, line {}: {}", number, error.what()));
    }
  }
  const auto before = [](const Model& a, const Model& b) { return key_of(a) < key_of(b); };
  std::sort(models.begin(), models.end(), before);
  const auto twice =
      std::adjacent_find(models.begin(), models.end(),
                         [](const Model& a, const Model& b) { return key_of(a) == key_of(b); });
  if (twice != models.end()) {
    throw std::runtime_error(
        fmt::format("prices.jsonl: {}/{} stands there twice", twice->provider, twice->name));
  }
  return std::make_shared<SortedPriceBook>(std::move(models));
}

}  // namespace claviger::catalog
