#include "alert/watched_records.h"

#include <algorithm>
#include <span>

namespace claviger::alert {

std::optional<Spend> spend_of(const record::Record& record) {
  if (record.cost <= NanoUsd() || record.model.empty()) return std::nullopt;
  // What a provider never confirmed says nothing about what its requests cost.
  if (record.cost_state != record::CostState::billed) return std::nullopt;
  return Spend{
      .request = record.id,
      .owner = record.owner,
      .model = record.model,
      .at = record.started_at,
      .cost = record.cost,
      .tokens = std::clamp<std::int64_t>(record.usage.total_tokens(), 0, 1'000'000'000'000)};
}

void WatchedRecords::learn_from_store(const std::vector<OwnerId>& owners, WallTime now) {
  std::vector<Spend> spends;
  for (const OwnerId owner : std::span(owners).first(std::min(owners.size(), kOwnersLearntMax))) {
    const auto records =
        store_.list({.since = now - kLearntFor, .owner = owner, .limit = kLearntPerOwner});
    if (!records) continue;
    for (const record::Record& record : *records) {
      if (auto spend = spend_of(record)) spends.push_back(std::move(*spend));
    }
  }
  std::ranges::sort(spends, {}, &Spend::at);
  learn(spends, now);
}

void WatchedRecords::learn(const std::vector<Spend>& spends, WallTime now) {
  for (const Spend& spend : spends) {
    if (now - spend.at > kJudgedAgainWithin) {
      history_.learn(spend);
    } else {
      judge(spend);
    }
  }
}

record::Result<void> WatchedRecords::append(const std::vector<record::Record>& records) {
  auto appended = store_.append(records);
  // What was not taken comes again, and is judged then.
  if (!appended) return appended;
  for (const record::Record& record : records) {
    if (const auto spend = spend_of(record)) judge(*spend);
  }
  return appended;
}

void WatchedRecords::judge(const Spend& spend) {
  history_.judge(spend, found_);
  for (Finding& finding : found_) inbox_.leave(std::move(finding));
  found_.clear();
}

}  // namespace claviger::alert
