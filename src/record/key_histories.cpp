#include "record/key_histories.h"

#include <algorithm>
#include <utility>

namespace claviger::record {

void KeyHistories::learn(std::vector<KeyHistory> histories) {
  const std::lock_guard lock(mutex_);
  for (KeyHistory& history : histories) {
    if (kept_.size() >= kCredentialsMax) return;
    Kept& kept = kept_[history.credential.value];
    kept.stored_worked_at = history.worked_at;
    kept.history = std::move(history);
  }
}

bool KeyHistories::see(const Record& record, Kept& kept) {
  KeyHistory& history = kept.history;
  if (record.at_fault == "key" || record.at_fault == "account") {
    if (history.failed_at && record.started_at < *history.failed_at) return false;
    history.failed_at = record.started_at;
    history.failure = record.error_code;
    ++history.failures_in_a_row;
    return true;
  }
  // An answer, and a whole one: what else goes wrong says nothing about the key.
  if (has_failed(record) || record.provider_status == 0 || record.caller_left) return false;
  if (history.worked_at && record.started_at < *history.worked_at) return false;
  history.worked_at = record.started_at;
  const bool is_back = std::exchange(history.failures_in_a_row, 0) > 0;
  const bool is_news =
      !kept.stored_worked_at || record.started_at - *kept.stored_worked_at >= kStoredEvery;
  return is_back || is_news;
}

std::vector<KeyHistory> KeyHistories::see(const std::vector<Record>& records) {
  std::vector<KeyHistory> changed;
  const std::lock_guard lock(mutex_);
  for (const Record& record : records) {
    if (record.credential.is_none()) continue;
    auto found = kept_.find(record.credential.value);
    if (found == kept_.end()) {
      if (kept_.size() >= kCredentialsMax) continue;
      found = kept_.emplace(record.credential.value, Kept{}).first;
      found->second.history.credential = record.credential;
    }
    Kept& kept = found->second;
    if (kept.begins_at && record.started_at < *kept.begins_at) continue;
    if (!see(record, kept)) continue;
    kept.stored_worked_at = kept.history.worked_at;
    const auto listed = std::ranges::find(changed, record.credential, &KeyHistory::credential);
    if (listed == changed.end()) {
      changed.push_back(kept.history);
    } else {
      *listed = kept.history;
    }
  }
  return changed;
}

std::optional<KeyHistory> KeyHistories::of(CredentialId credential) const {
  const std::lock_guard lock(mutex_);
  const auto found = kept_.find(credential.value);
  if (found == kept_.end()) return std::nullopt;
  const KeyHistory& history = found->second.history;
  if (!history.worked_at && !history.failed_at) return std::nullopt;
  return history;
}

void KeyHistories::forget(CredentialId credential, WallTime now) {
  const std::lock_guard lock(mutex_);
  const auto found = kept_.find(credential.value);
  if (found == kept_.end() && kept_.size() >= kCredentialsMax) return;
  kept_.insert_or_assign(credential.value,
                         Kept{.history = {.credential = credential}, .begins_at = now});
}

Result<void> KeyWatchedRecords::append(const std::vector<Record>& records) {
  auto done = store_.append(records);
  // What was not taken comes again, and is seen then.
  if (!done) return done;
  std::vector<KeyHistory> changed = histories_.see(records);
  for (KeyHistory& earlier : unsaved_) {
    const bool is_newer_there =
        std::ranges::find(changed, earlier.credential, &KeyHistory::credential) != changed.end();
    if (!is_newer_there) changed.push_back(std::move(earlier));
  }
  unsaved_.clear();
  if (!changed.empty() && !kept_.put(changed)) unsaved_ = std::move(changed);
  return done;
}

}  // namespace claviger::record
