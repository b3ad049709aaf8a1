#pragma once

/// The attempts that hold money or held some lately, by attempt.
///
/// Why locks, where the accounts do without: reserving again must return the same hold and
/// settling must be absolute, so what is known of an attempt has to be read and changed in one
/// step. The lock is one of 64, chosen by the attempt, so that two requests meet only by
/// accident; nothing under it does I/O; uncontended it costs about 15 ns. A mutex and not a
/// spinning lock, because a thread that loses its core while it holds one would make others
/// burn theirs.

#include <array>
#include <cstdint>
#include <mutex>
#include <vector>

#include "base/ids.h"
#include "base/money.h"
#include "budget/accounts.h"
#include "budget/ledger.h"

namespace claviger::budget {

/// What is known of one attempt. In the order of its fields what everybody looks at stands in
/// one cache line, and four accounts, which is what most requests concern, in the next: lines
/// travel between the threads that hold, settle and forget.
struct alignas(64) Hold {
  AttemptId attempt;
  NanoUsd held;
  NanoUsd cost;                     ///< Where settled.
  std::uint64_t written_up_to = 0;  ///< Sequence behind its latest record in the log; 0: the store.
  HoldState state = HoldState::open;
  Certainty certainty = Certainty::billed;  ///< Where settled.
  HeldAccounts accounts;
};

/// Threads: any method, from any thread, concurrently.
class HoldTable {
 private:
  static constexpr std::size_t kStripes = 64;
  static constexpr std::uint32_t kNone = 0xFFFF'FFFF;
  /// Open addressing: a look-up reads neighbouring places of the index, and a hold only where
  /// half of its hash fits.
  struct Place {
    std::uint32_t tag = 0;
    std::uint32_t node = kNone;
  };
  struct alignas(64) Stripe {
    std::mutex mutex;
    std::vector<Place> index;  ///< A power of two, at least twice as many as nodes.
    std::vector<Hold> nodes;
    std::uint32_t free = kNone;  ///< Nodes that are not in use, chained by written_up_to.
    std::uint32_t size = 0;
  };

 public:
  /// The stripe of one attempt, locked from construction to destruction. Pointers that it
  /// gives are good until then, or until insert().
  class Locked {
   public:
    Locked(HoldTable& table, const AttemptId& attempt);
    /// Null where the attempt is not known.
    Hold* find() const;
    /// Makes room, so that the next insert() cannot fail for want of memory.
    void make_room();
    /// The attempt is not known yet.
    Hold& insert();
    /// The attempt is known.
    void erase();

   private:
    /// The attempt's place in the index, or the empty one where its search ends.
    std::size_t place() const;

    AttemptId attempt_;
    std::uint64_t hash_;
    Stripe& stripe_;
    std::scoped_lock<std::mutex> lock_;
  };

  std::size_t size() const;
  /// Holds that fit without more memory.
  std::size_t capacity() const;

  /// Calls `visit` with each hold, stripe by stripe under its lock: for shutdown and tests.
  template <typename Visit>
  void for_each(Visit visit) {
    for (Stripe& stripe : stripes_) {
      const std::scoped_lock lock(stripe.mutex);
      for (const Place& place : stripe.index) {
        if (place.node != kNone) visit(std::as_const(stripe.nodes[place.node]));
      }
    }
  }

 private:
  static std::uint64_t hash_of(const AttemptId& attempt);
  static std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }
  mutable std::array<Stripe, kStripes> stripes_;
};

}  // namespace claviger::budget
