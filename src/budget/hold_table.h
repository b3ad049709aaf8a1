#pragma once

/// The attempts that hold money or held some lately, by attempt.
///
/// Why locks, where the accounts do without: reserving again must return the same hold and
/// settling must be absolute, so what is known of an attempt has to be read and changed in one
/// step. The lock is one of 256, chosen by the attempt, so that two requests meet only by
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

/// What is known of one attempt.
struct Hold {
  AttemptId attempt;
  NanoUsd held;
  NanoUsd cost;  ///< Where settled.
  HeldAccounts accounts;
  std::uint64_t written_up_to = 0;  ///< Sequence behind its latest record in the log; 0: the store.
  HoldState state = HoldState::open;
  Certainty certainty = Certainty::billed;  ///< Where settled.
};

/// Threads: any method, from any thread, concurrently.
class HoldTable {
 private:
  static constexpr std::size_t kStripes = 256;
  static constexpr std::uint32_t kNone = 0xFFFF'FFFF;
  /// Chained by index: holds do not move but when the stripe grows.
  struct Node {
    Hold hold;
    std::uint32_t next = kNone;
  };
  struct alignas(64) Stripe {
    std::mutex mutex;
    std::vector<Node> nodes;
    std::vector<std::uint32_t> heads;  ///< A power of two, at least as many as nodes.
    std::uint32_t free = kNone;        ///< Nodes that are not in use, chained.
    std::size_t size = 0;
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
    AttemptId attempt_;
    std::uint64_t hash_;
    Stripe& stripe_;
    std::scoped_lock<std::mutex> lock_;
  };

  std::size_t size() const;

  /// Calls `visit` with each hold, stripe by stripe under its lock: for shutdown and tests.
  template <typename Visit>
  void for_each(Visit visit) {
    for (Stripe& stripe : stripes_) {
      const std::scoped_lock lock(stripe.mutex);
      for (const std::uint32_t head : stripe.heads) {
        for (std::uint32_t at = head; at != kNone; at = stripe.nodes[at].next) {
          visit(std::as_const(stripe.nodes[at].hold));
        }
      }
    }
  }

 private:
  static std::uint64_t hash_of(const AttemptId& attempt);
  mutable std::array<Stripe, kStripes> stripes_;
};

}  // namespace claviger::budget
