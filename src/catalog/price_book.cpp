#include "catalog/price_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <utility>

#include "catalog/price_row.h"
#include "data/prices_jsonl.h"
#include "exchange/json_tree.h"

namespace claviger::catalog {
namespace {

using Key = std::pair<std::string_view, std::string_view>;

Key key_of(const Model& model) {
  return {model.provider, model.name};
}

std::uint64_t hash_of(const Key& key) {
  const std::hash<std::string_view> hash;
  return hash(key.first) * 31 + hash(key.second);
}

class SortedPriceBook final : public PriceBook {
 public:
  explicit SortedPriceBook(std::vector<Model> models) : models_(std::move(models)) {
    places_.reserve(models_.size());
    for (std::size_t i = 0; i < models_.size(); ++i) {
      places_.push_back(
          {.hash = hash_of(key_of(models_[i])), .model = static_cast<std::uint32_t>(i)});
    }
    std::ranges::sort(places_, {}, &Place::hash);
  }

  const Model* find(std::string_view provider, std::string_view name) const override {
    const Key wanted{provider, name};
    const std::uint64_t hash = hash_of(wanted);
    auto at = std::ranges::lower_bound(places_, hash, {}, &Place::hash);
    for (; at != places_.end() && at->hash == hash; ++at) {
      if (key_of(models_[at->model]) == wanted) return &models_[at->model];
    }
    return nullptr;
  }
  const std::vector<Model>& models() const override { return models_; }

 private:
  /// Every request looks for a price: numbers are compared sooner than names.
  struct Place {
    std::uint64_t hash = 0;
    std::uint32_t model = 0;
  };
  std::vector<Model> models_;
  std::vector<Place> places_;  ///< By hash.
};

struct NumberedRow {
  PriceRow row;
  std::size_t line = 0;
};

std::vector<NumberedRow> read_rows(std::string_view jsonl) {
  std::vector<NumberedRow> rows;
  exchange::JsonTree tree;
  std::size_t number = 0;
  while (!jsonl.empty()) {
    const std::size_t end = std::min(jsonl.find('\n'), jsonl.size());
    const std::string_view line = jsonl.substr(0, end);
    jsonl.remove_prefix(std::min(end + 1, jsonl.size()));
    ++number;
    if (line.empty()) continue;
    auto row = read_price_row(line, tree);
    if (!row) {
      throw std::runtime_error(fmt::format("prices.jsonl, line {}: {}", number, row.error()));
    }
    rows.push_back({std::move(*row), number});
  }
  return rows;
}

/// Two prices of one model may not hold at the same time.
bool contradict(const PricePeriod& a, const PricePeriod& b) {
  const bool a_is_before = a.until && b.from && *a.until <= *b.from;
  const bool b_is_before = b.until && a.from && *b.until <= *a.from;
  return !a_is_before && !b_is_before;
}

/// All rows of one model as one, `price` being what is in force at `now`.
Model merged(std::vector<NumberedRow>::iterator first, std::vector<NumberedRow>::iterator last,
             WallTime now) {
  Model model = std::move(first->row.model);
  for (auto one = first; one != last; ++one) {
    for (auto other = one + 1; other != last; ++other) {
      if (!contradict(one->row.period, other->row.period)) continue;
      const bool is_same = *one->row.period.price == *other->row.period.price;
      throw std::runtime_error(fmt::format(
          "prices.jsonl, lines {} and {}: {}/{} {}", std::min(one->line, other->line),
          std::max(one->line, other->line), model.provider, model.name,
          is_same ? "stands there twice"
                  : "has two prices at the same time; give them periods (`from`, `until`) "
                    "that do not overlap, or remove one"));
    }
    model.periods.push_back(one->row.period);
  }
  model.price = model.price_at(now);
  const PricePeriod& only = model.periods.front();
  if (model.periods.size() == 1 && !only.from && !only.until) model.periods.clear();
  return model;
}

}  // namespace

SharedPrice Model::price_at(WallTime time) const {
  if (periods.empty()) return price;
  for (const PricePeriod& period : periods) {
    if (period.holds(time)) return period.price;
  }
  return nullptr;
}

std::shared_ptr<const PriceBook> PriceBook::embedded() {
  static const std::shared_ptr<const PriceBook> book = parse(data::prices_jsonl);
  return book;
}

std::shared_ptr<const PriceBook> PriceBook::parse(std::string_view jsonl, WallTime now) {
  std::vector<NumberedRow> rows = read_rows(jsonl);
  const auto before = [](const NumberedRow& a, const NumberedRow& b) {
    return key_of(a.row.model) < key_of(b.row.model);
  };
  std::sort(rows.begin(), rows.end(), before);
  std::vector<Model> models;
  models.reserve(rows.size());
  for (auto first = rows.begin(); first != rows.end();) {
    const auto last = std::upper_bound(first, rows.end(), *first, before);
    models.push_back(merged(first, last, now));
    first = last;
  }
  return std::make_shared<SortedPriceBook>(std::move(models));
}

}  // namespace claviger::catalog
