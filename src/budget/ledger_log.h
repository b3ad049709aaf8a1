#pragma once

/// What happened to money, record by record, and who writes it down. The bookkeeper tells a
/// log what it did; the journal is the log that survives.

#include <cstdint>

#include "base/ids.h"
#include "base/money.h"
#include "base/time.h"
#include "budget/ledger.h"
#include "budget/ledger_store.h"

namespace claviger::budget {

/// Each record stands for itself: it carries the attempt's budgets and periods, so that one
/// can be understood though another is lost.
struct LogRecord {
  enum class Type : std::uint8_t {
    hold = 1,     ///< `held` was taken on `budgets`.
    settle = 2,   ///< The first settlement of a hold, or the spend of a forgotten one.
    correct = 3,  ///< A settlement of what was settled before, or unconfirmed.
  };
  Type type = Type::hold;
  Certainty certainty = Certainty::billed;  ///< Not for `hold`.
  AttemptId attempt;
  NanoUsd held;
  NanoUsd cost;  ///< Not for `hold`.
  WallTime at;
  HeldOnSet budgets;
  std::uint32_t note = 0;  ///< Only for `correct`: LedgerStore::add_note() gave it; 0: none.
  friend bool operator==(const LogRecord&, const LogRecord&) = default;
};

/// Threads: any method, from any thread, concurrently. Nothing here does I/O.
class LedgerLog {
 public:
  virtual ~LedgerLog() = default;

  /// Sets room aside for that many records, or says that there is none (a full disk). Room is
  /// taken before money is promised: a hold takes it for its settlement too, so that what is
  /// granted can always be settled.
  [[nodiscard]] virtual bool claim_room(std::uint32_t records) = 0;
  virtual void give_back_room(std::uint32_t records) = 0;

  /// Writes into room that was claimed, and uses it up. Returns the sequence behind the record:
  /// it is safe once the log is safe up to there. Records of one attempt are written in order.
  virtual std::uint64_t append(const LogRecord& record) = 0;
};

}  // namespace claviger::budget
