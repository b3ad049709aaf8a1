#include "fault/neighbours.h"

#include <algorithm>
#include <functional>
#include <vector>

namespace claviger::fault {
namespace {

std::uint64_t hash_of(std::string_view text) {
  return std::hash<std::string_view>{}(text);
}

}  // namespace

template <typename Visit>
void FailureWindow::visit_recent(Instant now, Visit&& visit) const {
  const std::scoped_lock lock(mutex_);
  for (const Entry& entry : entries_) {
    if (entry.is_used && now - entry.at <= window) visit(entry);
  }
}

Neighbours FailureWindow::around(const Failure& failure, Instant now) const {
  // More are not told apart: "at least this many" decides the same.
  constexpr std::size_t kCountedMax = 16;
  std::vector<CredentialId> credentials;
  std::vector<OwnerId> owners;
  const std::uint64_t provider = hash_of(failure.provider);
  const std::uint64_t cause = hash_of(failure.cause);
  visit_recent(now, [&](const Entry& entry) {
    if (entry.provider != provider || entry.cause != cause) return;
    if (entry.credential == failure.credential) return;
    const auto add = [](auto& list, auto id) {
      if (list.size() < kCountedMax && std::ranges::find(list, id) == list.end()) {
        list.push_back(id);
      }
    };
    add(credentials, entry.credential);
    if (entry.owner != failure.owner) add(owners, entry.owner);
  });
  return {.credentials_failing = static_cast<int>(credentials.size()),
          .owners_failing = static_cast<int>(owners.size())};
}

int FailureWindow::failures_of(const Failure& failure, Instant now) const {
  int count = 0;
  const std::uint64_t provider = hash_of(failure.provider);
  visit_recent(now, [&](const Entry& entry) {
    if (entry.provider == provider && entry.credential == failure.credential) ++count;
  });
  return count;
}

void FailureWindow::note(const Failure& failure, Instant now) {
  const std::scoped_lock lock(mutex_);
  entries_[next_] = {.provider = hash_of(failure.provider),
                     .cause = hash_of(failure.cause),
                     .credential = failure.credential,
                     .owner = failure.owner,
                     .at = now,
                     .is_used = true};
  next_ = (next_ + 1) % entries_.size();
}

}  // namespace claviger::fault
