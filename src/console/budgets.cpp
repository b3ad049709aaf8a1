/// Budgets: limits in money over a period, on a scope.

#include <fmt/format.h>

#include <algorithm>

#include "console/fields.h"
#include "console/json_out.h"
#include "console/routes.h"
#include "console/text_forms.h"

namespace claviger::console {
namespace {

constexpr std::size_t kWarningsMax = 16;
constexpr std::int64_t kWarnPercentMax = 100;

/// Sets scope, subject and pattern of `budget` from `text`.
Outcome<void> read_scope(const Registry& registry, std::string_view text, budget::Budget& budget) {
  const auto scope = parse_scope(text);
  if (!scope) {
    return bad_value("scope", fmt::format("\"{}\" is no scope", text),
                     fmt::format("use one of: {}", kScopeTexts));
  }
  budget.scope = scope->scope;
  switch (scope->scope) {
    case budget::Scope::workspace:
    case budget::Scope::each_owner:
    case budget::Scope::each_user:
      return {};
    case budget::Scope::model:
      budget.pattern = scope->subject;
      return {};
    case budget::Scope::owner: {
      const auto owner = registry.owner(scope->subject);
      if (!owner) return std::unexpected(owner.error());
      budget.subject = (*owner)->id.value;
      return {};
    }
    case budget::Scope::app: {
      const auto app = registry.app(scope->subject);
      if (!app) return std::unexpected(app.error());
      budget.subject = (*app)->id.value;
      return {};
    }
    case budget::Scope::credential: {
      const auto credential = registry.credential(scope->subject);
      if (!credential) return std::unexpected(credential.error());
      budget.subject = (*credential)->about.id.value;
      return {};
    }
    case budget::Scope::virtual_key: {
      const auto key = registry.key(scope->subject);
      if (!key) return std::unexpected(key.error());
      budget.subject = (*key)->id.value;
      return {};
    }
  }
  return {};
}

Outcome<budget::Period> read_period(std::string_view text) {
  if (const auto period = parse_period(text)) return *period;
  return bad_value("per", fmt::format("\"{}\" is no period", text),
                   "use request, day, week, month or total");
}

Outcome<budget::WhenExhausted> read_policy(std::string_view text) {
  if (text.empty()) return budget::WhenExhausted::clamp;
  if (const auto policy = parse_when_exhausted(text)) return *policy;
  return bad_value("when_exhausted", fmt::format("\"{}\" is not known", text),
                   "use clamp (shorter answers while they fit), queue (wait until it fits), "
                   "downgrade (a cheaper model) or refuse");
}

Outcome<std::vector<int>> read_warnings(const std::vector<std::int64_t>& percents) {
  std::vector<int> warnings;
  for (const std::int64_t percent : percents) {
    if (percent < 1 || percent > kWarnPercentMax || percents.size() > kWarningsMax) {
      return bad_value("warn", "this is no list of percentages",
                       "send up to 16 whole numbers from 1 to 100, like 50,80,95,100");
    }
    warnings.push_back(static_cast<int>(percent));
  }
  std::ranges::sort(warnings);
  warnings.erase(std::ranges::unique(warnings).begin(), warnings.end());
  return warnings;
}

Outcome<void> read_downgrades(std::vector<std::string> models, budget::Budget& budget) {
  const bool downgrades = budget.terms.when_exhausted == budget::WhenExhausted::downgrade;
  if (downgrades && models.empty()) {
    return bad_value("downgrade_to", "there is no model to downgrade to",
                     "name one or more, like openai/gpt-4o-mini; the cheapest is asked first");
  }
  if (!downgrades && !models.empty()) {
    return bad_value("downgrade_to", "this budget does not downgrade",
                     "set when_exhausted to downgrade, or leave the models out");
  }
  if (models.size() > budget::kDowngradesMax) {
    return bad_value("downgrade_to", "these are too many models",
                     fmt::format("name {} at most", budget::kDowngradesMax));
  }
  for (const std::string& model : models) {
    const bool is_plain =
        !model.empty() && model.size() <= kNameBytesMax &&
        std::ranges::all_of(model, [](unsigned char c) { return c > ' ' && c != 0x7F; });
    if (!is_plain) {
      return bad_value("downgrade_to", fmt::format("\"{}\" is no model's name", model),
                       "use provider/model or an alias");
    }
  }
  budget.downgrade_to = std::move(models);
  return {};
}

Outcome<budget::Budget> read_budget(const Registry& registry, std::string_view body) {
  Fields fields(body);
  const std::string scope_text = fields.text("scope");
  const NanoUsd limit = fields.usd("limit_usd");
  const std::string period_text = fields.text("per");
  const auto warn = fields.numbers_if_any("warn");
  const std::string policy_text = fields.text_if_any("when_exhausted");
  const std::string time_zone = fields.text_if_any("time_zone");
  std::vector<std::string> downgrade_to = fields.texts_if_any("downgrade_to");
  if (auto read = fields.finish(); !read) return std::unexpected(read.error());

  budget::Budget budget;
  if (auto read = read_scope(registry, scope_text, budget); !read) {
    return std::unexpected(read.error());
  }
  const auto period = read_period(period_text);
  if (!period) return std::unexpected(period.error());
  const auto policy = read_policy(policy_text);
  if (!policy) return std::unexpected(policy.error());
  if (warn) {
    auto warnings = read_warnings(*warn);
    if (!warnings) return std::unexpected(warnings.error());
    budget.warn_percents = std::move(*warnings);
  }
  budget.terms = {.id = {}, .limit = limit, .period = *period, .when_exhausted = *policy};
  if (!time_zone.empty()) {
    if (auto checked = check_time_zone(time_zone); !checked) {
      return std::unexpected(checked.error());
    }
    budget.time_zone = time_zone;
  }
  if (auto read = read_downgrades(std::move(downgrade_to), budget); !read) {
    return std::unexpected(read.error());
  }
  return budget;
}

std::unexpected<Problem> of_budget_store(budget::BudgetStoreError error, std::string_view named) {
  switch (error) {
    case budget::BudgetStoreError::exists:
      return taken("budget", named);
    case budget::BudgetStoreError::not_found:
      return unknown("budget", named);
    case budget::BudgetStoreError::unavailable:
      break;
  }
  return store_unavailable();
}

bool is_same_budget(const budget::Budget& a, const budget::Budget& b) {
  return a.scope == b.scope && a.subject == b.subject && a.pattern == b.pattern &&
         a.terms.period == b.terms.period;
}

}  // namespace

std::string scope_text(const Registry& registry, const budget::Budget& budget) {
  const std::string_view scope = to_text(budget.scope);
  switch (budget.scope) {
    case budget::Scope::workspace:
    case budget::Scope::each_owner:
    case budget::Scope::each_user:
      return std::string(scope);
    case budget::Scope::owner:
      return fmt::format("{}:{}", scope, registry.name_of(OwnerId{budget.subject}));
    case budget::Scope::app:
      return fmt::format("{}:{}", scope, registry.name_of(AppId{budget.subject}));
    case budget::Scope::credential:
      return fmt::format("{}:{}", scope, CredentialId{budget.subject}.text());
    case budget::Scope::virtual_key:
      return fmt::format("{}:{}", scope, VirtualKeyId{budget.subject}.text());
    case budget::Scope::model:
      return fmt::format("{}:{}", scope, budget.pattern);
  }
  return std::string(scope);
}

Task<std::string> budget_json(Registry& registry, budget::Budget budget) {
  JsonObject json;
  JsonArray warn;
  for (const int percent : budget.warn_percents) warn.add(std::to_string(percent));
  json.id("id", budget.terms.id)
      .text("scope", scope_text(registry, budget))
      .usd("limit_usd", budget.terms.limit)
      .text("per", to_text(budget.terms.period))
      .raw("warn", warn.finish())
      .text("when_exhausted", to_text(budget.terms.when_exhausted))
      .texts("downgrade_to", budget.downgrade_to)
      .text("time_zone", budget.terms.zone.name())
      .id("rule", budget.rule);
  std::optional<budget::Balance> balance;
  if (budget.scope != budget::Scope::each_owner && budget.scope != budget::Scope::each_user) {
    const auto found = co_await registry.parts.ledger.balance(budget.terms.id);
    if (found) balance = *found;
  }
  if (balance) {
    json.usd("spent_usd", balance->spent)
        .usd("held_usd", balance->held)
        .usd("unconfirmed_usd", balance->unconfirmed)
        .usd("left_usd", balance->left)
        .time("period_start", balance->period_start)
        .time("resets_at", balance->resets_at)
        .truth("clock_in_doubt", balance->clock_in_doubt);
    if (balance->resets_at) {
      json.text("resets_at_local", budget::text_in(budget.terms.zone, *balance->resets_at));
    } else {
      json.null("resets_at_local");
    }
  } else {
    for (const char* const name :
         {"spent_usd", "held_usd", "unconfirmed_usd", "left_usd", "period_start", "resets_at",
          "clock_in_doubt", "resets_at_local"}) {
      json.null(name);
    }
  }
  co_return json.finish();
}

Task<Outcome<Reply>> list_budgets(Registry& registry, Call& call) {
  if (auto checked = call.check_query({}); !checked) co_return std::unexpected(checked.error());
  const std::vector<budget::Budget> budgets = registry.budgets();
  JsonArray data;
  for (const budget::Budget& budget : budgets) data.add(co_await budget_json(registry, budget));
  co_return Reply{.body = JsonObject().raw("data", data.finish()).finish()};
}

Task<Outcome<Reply>> set_budget(Registry& registry, Call& call) {
  auto wanted = read_budget(registry, call.request.body);
  if (!wanted) co_return std::unexpected(wanted.error());
  const std::string named = scope_text(registry, *wanted);

  const auto present = std::ranges::find_if(
      registry.budgets(),
      [&](const budget::Budget& candidate) { return is_same_budget(candidate, *wanted); });
  const bool is_new = present == registry.budgets().end();
  if (is_new) {
    const auto added = registry.parts.budgets.add(*wanted, registry.parts.clock.wall_now());
    if (!added) co_return of_budget_store(added.error(), named);
    wanted->terms.id = added->terms.id;
  } else {
    // Rule none: from now on it is the owner's own, and the rule leaves it alone.
    wanted->terms.id = present->terms.id;
    if (auto replaced = registry.parts.budgets.replace(*wanted); !replaced) {
      co_return of_budget_store(replaced.error(), named);
    }
  }
  if (auto put = co_await registry.put_in_force(Touched::anything_else); !put) {
    co_return std::unexpected(put.error());
  }
  const budget::Budget* const in_force = registry.world().budgets->find(wanted->terms.id);
  co_return Reply{.status = is_new ? 201 : 200,
                  .body = co_await budget_json(registry, in_force ? *in_force : *wanted)};
}

Task<Outcome<Reply>> show_budget(Registry& registry, Call& call) {
  if (auto checked = call.check_query({}); !checked) co_return std::unexpected(checked.error());
  const auto budget = registry.budget(call.parts[0]);
  if (!budget) co_return std::unexpected(budget.error());
  co_return Reply{.body = co_await budget_json(registry, **budget)};
}

Task<Outcome<Reply>> remove_budget(Registry& registry, Call& call) {
  const auto budget = registry.budget(call.parts[0]);
  if (!budget) co_return std::unexpected(budget.error());
  const budget::Budget removed = **budget;
  const bool was_made_by_rule = !removed.rule.is_none();
  if (was_made_by_rule) {
    co_return problem(
        409, "made_by_rule",
        fmt::format("{} was made by the rule {} for every owner", call.parts[0],
                    removed.rule.text()),
        fmt::format("set another limit on {}, or remove the rule", scope_text(registry, removed)));
  }
  const std::string body = co_await budget_json(registry, removed);
  const auto done =
      registry.parts.budgets.remove(removed.terms.id, registry.parts.clock.wall_now());
  if (!done) co_return of_budget_store(done.error(), call.parts[0]);
  if (auto put = co_await registry.put_in_force(Touched::anything_else); !put) {
    co_return std::unexpected(put.error());
  }
  co_return Reply{.body = body};
}

}  // namespace claviger::console
