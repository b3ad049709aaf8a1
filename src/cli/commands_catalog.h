#pragma once

/// What the commands share that need no server: models of the catalog, and documents on standard
/// input.

#include <string>
#include <string_view>

#include "catalog/price_book.h"
#include "cli/session.h"

namespace claviger::cli {

std::string full_name(const catalog::Model& model);

/// `provider/model`, or a bare name where one provider has it. Pointers live as long as `book`.
Outcome<const catalog::Model*> find_model(const catalog::PriceBook& book, std::string_view named);

/// An error where the catalog knows the model and not its price.
Outcome<const catalog::Price*> price_of(const catalog::Model& model);

/// With the padding behind it that readers of JSON need.
struct Input {
  std::string text;
  std::size_t bytes = 0;  ///< Without the padding.
  std::string_view view() const { return std::string_view(text).substr(0, bytes); }
};
Outcome<Input> read_input();

}  // namespace claviger::cli
