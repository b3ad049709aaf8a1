#pragma once

/// What a request would cost, for a person who asks before sending it: the same bounds that it
/// would be held by, what is likely, and what each of its fields does to the bill. The command
/// line and the control API both answer with this, so that they cannot differ.

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "budget/estimate.h"
#include "catalog/price_book.h"
#include "exchange/request.h"

namespace claviger::console {

/// The model that a request would go to.
struct EstimateModel {
  std::string name;            ///< `provider/model`
  std::string provider;        ///< Profile id.
  std::string provider_model;  ///< As the provider calls it.
  /// Served by the provider itself; elsewhere its formulas prove nothing.
  enum class Server : std::uint8_t { provider, somebody_else } server = Server::provider;
  catalog::Price price;
  budget::ModelLimits limits;
};

struct FieldNote {
  std::string field;
  std::string_view bounded_by;  ///< "bytes", "formula", "context", "output", "nothing", "free"
  std::string_view says;        ///< For a person.
};

struct RequestEstimate {
  std::string model;
  budget::Estimate numbers;
  std::int64_t tool_count = 0;
  std::size_t image_count = 0;
  std::vector<FieldNote> fields;
  std::vector<std::string> unbounded_fields;
  std::vector<std::string> unknown_fields;
  std::string price_source;
  std::string price_dated;
};

struct EstimateFailure {
  enum class Code : std::uint8_t { unreadable, unbounded };
  Code code = Code::unreadable;
  std::string message;  ///< A sentence.
};

/// `body` is a request of the OpenAI dialect and must have 64 readable bytes behind its end.
std::expected<RequestEstimate, EstimateFailure> estimate_request(
    const EstimateModel& model, exchange::Operation operation, std::string_view body,
    const std::optional<budget::LearnedFactors>& learned);

std::string to_json(const RequestEstimate& estimate);

/// "A request like this costs at most $0.0043, likely $0.0012, on openai/gpt-4o-mini."
std::string headline(const RequestEstimate& estimate);

}  // namespace claviger::console
