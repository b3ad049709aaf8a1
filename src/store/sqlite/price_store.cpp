#include "store/sqlite/price_store.h"

#include <fmt/format.h>

#include <chrono>

#include "catalog/price_row.h"
#include "store/sqlite/sql.h"

namespace claviger::store {
namespace {

using catalog::OwnerPrice;
using catalog::OwnerPriceError;
using catalog::OwnerPriceResult;

std::string iso_date(WallTime time) {
  const std::chrono::year_month_day day{std::chrono::floor<std::chrono::days>(time)};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(day.year()),
                     static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
}

struct Row {
  OwnerId owner;
  std::string model;
  std::string price;
  WallTime stated_at;
};

std::optional<Row> read_row(const Query& row) {
  return Row{.owner = OwnerId{row.integer(0)},
             .model = row.text(1),
             .price = row.text(2),
             .stated_at = from_unix_micros(row.integer(3))};
}

}  // namespace

OwnerPriceResult<void> SqliteOwnerPriceStore::put(const OwnerPrice& stated) {
  const std::string price = catalog::write_stated_price(stated.price);
  // The workspace (0) always exists.
  const auto put = change(database_,
                          "INSERT INTO stated_prices (owner_id, model, price, stated_at)"
                          " SELECT ?1, ?2, ?3, ?4 WHERE ?1 = 0"
                          " OR EXISTS (SELECT 1 FROM owners WHERE id = ?1 AND removed_at IS NULL)"
                          " ON CONFLICT (owner_id, model) DO UPDATE SET price = excluded.price,"
                          " stated_at = excluded.stated_at",
                          stated.owner, stated.model, price, stated.stated_at);
  if (!put) return std::unexpected(OwnerPriceError::unavailable);
  if (*put == 0) return std::unexpected(OwnerPriceError::not_found);
  return {};
}

OwnerPriceResult<std::vector<OwnerPrice>> SqliteOwnerPriceStore::list() {
  const auto rows = select<Row>(
      database_,
      "SELECT owner_id, model, price, stated_at FROM stated_prices ORDER BY owner_id, model",
      read_row);
  if (!rows) return std::unexpected(OwnerPriceError::unavailable);
  std::vector<OwnerPrice> prices;
  prices.reserve(rows->size());
  for (const Row& row : *rows) {
    auto price = catalog::read_stated_price(row.price);
    // Without its price the model could cost the catalog's, which its owner has said is wrong.
    if (!price) return std::unexpected(OwnerPriceError::unavailable);
    price->source = "owner";
    price->dated = iso_date(row.stated_at);
    prices.push_back({.owner = row.owner,
                      .model = row.model,
                      .price = std::move(*price),
                      .stated_at = row.stated_at});
  }
  return prices;
}

OwnerPriceResult<void> SqliteOwnerPriceStore::remove(OwnerId owner, const std::string& model) {
  const auto removed =
      change(database_, "DELETE FROM stated_prices WHERE owner_id = ? AND model = ?", owner, model);
  if (!removed) return std::unexpected(OwnerPriceError::unavailable);
  if (*removed == 0) return std::unexpected(OwnerPriceError::not_found);
  return {};
}

}  // namespace claviger::store
