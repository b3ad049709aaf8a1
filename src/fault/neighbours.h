#pragma once

/// The same failure on other people's keys: what tells a broken provider from a broken key.
///
/// Only failures are noted, so a request that succeeds pays nothing. Memory is a fixed ring of
/// failures_kept_max entries; what is older than the window, or overwritten, is forgotten.
/// Owners and credentials are compared, never shown: a verdict names how many, not who.

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string_view>

#include "base/ids.h"
#include "base/time.h"
#include "fault/observation.h"

namespace claviger::fault {

class FailureWindow {
 public:
  static constexpr std::size_t failures_kept_max = 512;
  static constexpr auto window = std::chrono::minutes(5);

  /// One failure, as the rules understood it.
  struct Failure {
    std::string_view provider;
    std::string_view cause;
    CredentialId credential;
    OwnerId owner;
  };

  /// Others than `failure.credential` with the same cause at the same provider, within the
  /// window before `now`.
  Neighbours around(const Failure& failure, Instant now) const;
  /// How often this credential failed at this provider within the window.
  int failures_of(const Failure& failure, Instant now) const;
  void note(const Failure& failure, Instant now);

 private:
  struct Entry {
    std::uint64_t provider = 0;
    std::uint64_t cause = 0;
    CredentialId credential;
    OwnerId owner;
    Instant at{};
    bool is_used = false;
  };
  template <typename Visit>
  void visit_recent(Instant now, Visit&& visit) const;

  /// Held for a walk over the ring, by failures alone.
  mutable std::mutex mutex_;
  std::array<Entry, failures_kept_max> entries_;
  std::size_t next_ = 0;
};

}  // namespace claviger::fault
