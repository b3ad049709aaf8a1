/// Whatever stands in a line of the book, reading it names what is wrong or gives a price that
/// arithmetic can rely on: rates that are not negative, tiers in order, a worst case that is one.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "catalog/cost.h"
#include "catalog/price_row.h"
#include "exchange/json_tree.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using claviger::exchange::Usage;
  claviger::exchange::JsonTree tree;
  const auto row = claviger::catalog::read_price_row(
      std::string_view(reinterpret_cast<const char*>(data), size), tree);
  if (!row) {
    require(!row.error().empty());
    return 0;
  }
  const claviger::catalog::Price& price = *row->model.price;
  require(price.input.picos >= 0 && price.output.picos >= 0 && price.regional_permille >= 1000);
  std::int64_t above = 0;
  for (const auto& tier : price.context_tiers) {
    require(tier.input_tokens_above > above);
    above = tier.input_tokens_above;
  }
  const Usage usage{.input_tokens = 200'000, .cached_input_tokens = 7, .output_tokens = 1000};
  require(cost_of(usage, price) <= worst_cost(200'007, 1000, price));
  return 0;
}
