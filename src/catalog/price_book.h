#pragma once

/// What a model costs. Rows come from data/prices.jsonl (each with its source and date) and
/// from owners, who can state the price of their own contract, endpoint or model file.
///
/// A model without a row has no price, which is not the same as a price of zero: a request
/// to it is refused as "cannot be priced" until its owner says what it may cost.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "catalog/cost.h"
#include "catalog/price.h"

namespace claviger::catalog {

/// Days, UTC: from the first up to but without the last; absent ends are open.
struct PricePeriod {
  std::optional<std::chrono::sys_days> from;
  std::optional<std::chrono::sys_days> until;
  SharedPrice price;
  bool holds(WallTime time) const { return (!from || time >= *from) && (!until || time < *until); }
};

struct Model {
  std::string provider;  ///< As in `provider/model`.
  std::string name;      ///< As the provider calls it.
  SharedPrice price;     ///< In force when the book was read; null where it is not known.
  std::int64_t context_tokens_max = 0;  ///< 0 where unknown.
  std::int64_t output_tokens_max = 0;   ///< 0 where unknown.
  /// What it is for: "chat", "embeddings", "images", "speech", "transcription", "rerank", ….
  std::string operation = "chat";
  std::vector<PricePeriod> periods = {};  ///< By time; empty where `price` has no end.

  /// Null where no price is known for that time.
  SharedPrice price_at(WallTime time) const;
};

/// Immutable once built; share it between threads freely. Look-ups take no lock.
class PriceBook {
 public:
  /// The rows that came with this build. Aborts start-up (throws std::runtime_error) where
  /// they cannot be read, which a test rules out.
  static std::shared_ptr<const PriceBook> embedded();
  /// From the text of data/prices.jsonl; throws std::runtime_error naming the line. Of prices
  /// with dates, those in force at `now` become Model::price.
  static std::shared_ptr<const PriceBook> parse(std::string_view jsonl,
                                                WallTime now = SystemClock().wall_now());

  virtual ~PriceBook() = default;
  /// Null where unknown. `provider` is canonical (`canonical_provider`).
  virtual const Model* find(std::string_view provider, std::string_view name) const = 0;
  /// All rows, by provider and name.
  virtual const std::vector<Model>& models() const = 0;
};

/// The row that a name means, and how it was found: as it stands, or without what a name may
/// carry that changes no price (a date, `models/`, a Bedrock region, a variant).
struct FoundModel {
  const Model* model = nullptr;  ///< Null where nothing fits.
  bool is_exact_name = false;
};
/// `provider` in any of its spellings. A variant that has its own price is never taken for its
/// base: `:free` is found only where the book has it.
FoundModel resolve_model(const PriceBook& book, std::string_view provider, std::string_view name);

/// gemini → google, kimi → moonshotai, bedrock → amazon-bedrock, zai → z.ai, …; anything
/// else is returned as it is.
std::string_view canonical_provider(std::string_view provider);

}  // namespace claviger::catalog
