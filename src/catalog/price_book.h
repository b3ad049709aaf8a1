#pragma once

/// What a model costs. Rows come from data/prices.jsonl (each with its source and date) and
/// from owners, who can state the price of their own contract, endpoint or model file.
///
/// A model without a row has no price, which is not the same as a price of zero: a request
/// to it is refused as "cannot be priced" until its owner says what it may cost.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "catalog/cost.h"
#include "catalog/price.h"

namespace claviger::catalog {

struct Model {
  std::string provider;                 ///< As in `provider/model`.
  std::string name;                     ///< As the provider calls it.
  SharedPrice price;                    ///< Null where it is not known.
  std::int64_t context_tokens_max = 0;  ///< 0 where unknown.
  std::int64_t output_tokens_max = 0;   ///< 0 where unknown.
};

/// Immutable once built; share it between threads freely. Look-ups take no lock.
class PriceBook {
 public:
  /// The rows that came with this build. Aborts start-up (throws std::runtime_error) where
  /// they cannot be read, which a test rules out.
  static std::shared_ptr<const PriceBook> embedded();
  /// From the text of data/prices.jsonl; throws std::runtime_error naming the line.
  static std::shared_ptr<const PriceBook> parse(std::string_view jsonl);

  virtual ~PriceBook() = default;
  /// Null where unknown. `provider` is canonical (`canonical_provider`).
  virtual const Model* find(std::string_view provider, std::string_view name) const = 0;
  /// All rows, by provider and name.
  virtual const std::vector<Model>& models() const = 0;
};

/// gemini → google, kimi → moonshotai, bedrock → amazon-bedrock, zai → z.ai, …; anything
/// else is returned as it is.
std::string_view canonical_provider(std::string_view provider);

}  // namespace claviger::catalog
