#include "store/sqlite/price_store.h"

#include <fmt/format.h>

#include <chrono>

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

std::optional<OwnerPrice> read_price(const Query& row) {
  const WallTime stated_at = from_unix_micros(row.integer(8));
  const auto rate = [&](int column) { return PicoUsdPerUnit{row.integer(column)}; };
  OwnerPrice stated{
      .owner = OwnerId{row.integer(0)}, .model = row.text(1), .price = {}, .stated_at = stated_at};
  stated.price.input = rate(2);
  stated.price.cached_input = rate(3);
  stated.price.cache_write = rate(4);
  stated.price.cache_write_1h = rate(5);
  stated.price.output = rate(6);
  stated.price.per_request = rate(7);
  stated.price.source = "owner";
  stated.price.dated = iso_date(stated_at);
  return stated;
}

}  // namespace

OwnerPriceResult<void> SqliteOwnerPriceStore::put(const OwnerPrice& stated) {
  const catalog::Price& price = stated.price;
  const auto put = change(
      database_,
      "INSERT INTO owner_prices (owner_id, model, input_picos, cached_input_picos,"
      " cache_write_picos, cache_write_1h_picos, output_picos, per_request_picos, stated_at)"
      " SELECT id, ?, ?, ?, ?, ?, ?, ?, ? FROM owners WHERE id = ? AND removed_at IS NULL"
      " ON CONFLICT (owner_id, model) DO UPDATE SET input_picos = excluded.input_picos,"
      " cached_input_picos = excluded.cached_input_picos,"
      " cache_write_picos = excluded.cache_write_picos,"
      " cache_write_1h_picos = excluded.cache_write_1h_picos,"
      " output_picos = excluded.output_picos, per_request_picos = excluded.per_request_picos,"
      " stated_at = excluded.stated_at",
      stated.model, price.input, price.cached_input, price.cache_write, price.cache_write_1h,
      price.output, price.per_request, stated.stated_at, stated.owner);
  if (!put) return std::unexpected(OwnerPriceError::unavailable);
  if (*put == 0) return std::unexpected(OwnerPriceError::not_found);
  return {};
}

OwnerPriceResult<std::vector<OwnerPrice>> SqliteOwnerPriceStore::list() {
  auto prices = select<OwnerPrice>(
      database_,
      "SELECT owner_id, model, input_picos, cached_input_picos, cache_write_picos,"
      " cache_write_1h_picos, output_picos, per_request_picos, stated_at FROM owner_prices"
      " ORDER BY owner_id, model",
      read_price);
  if (!prices) return std::unexpected(OwnerPriceError::unavailable);
  return std::move(*prices);
}

OwnerPriceResult<void> SqliteOwnerPriceStore::remove(OwnerId owner, const std::string& model) {
  const auto removed =
      change(database_, "DELETE FROM owner_prices WHERE owner_id = ? AND model = ?", owner, model);
  if (!removed) return std::unexpected(OwnerPriceError::unavailable);
  if (*removed == 0) return std::unexpected(OwnerPriceError::not_found);
  return {};
}

}  // namespace claviger::store
