#include "alert/alert.h"

namespace claviger::alert {
namespace {

constexpr std::string_view kPrefix = "alr_";
constexpr std::string_view kRequestPrefix = "req_";

}  // namespace

std::string_view to_text(Condition condition) {
  switch (condition) {
    case Condition::budget_threshold:
      return "budget.threshold";
    case Condition::budget_exhausted:
      return "budget.exhausted";
    case Condition::budget_overrun:
      return "budget.overrun";
    case Condition::budget_forecast:
      return "budget.forecast";
    case Condition::costly_request:
      return "request.costly";
    case Condition::costly_model:
      return "model.costly";
  }
  return "unknown";
}

std::optional<Condition> parse_condition(std::string_view text) {
  for (const Condition condition : kConditions) {
    if (to_text(condition) == text) return condition;
  }
  return std::nullopt;
}

std::string new_alert_id(WallTime now) {
  // The same 48 bits of time and 80 random ones as a request's, under a prefix of its own.
  return std::string(kPrefix) + new_request_id(now).text().substr(kRequestPrefix.size());
}

bool is_alert_id(std::string_view text) {
  return text.starts_with(kPrefix) &&
         RequestId::parse(std::string(kRequestPrefix) + std::string(text.substr(kPrefix.size())))
             .has_value();
}

}  // namespace claviger::alert
