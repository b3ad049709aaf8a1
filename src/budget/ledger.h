#pragma once

/// Who may spend how much. A request passes here twice: reserve() before anything is sent to
/// a provider, settle() once its true cost is known.
///
/// Why twice: the price of a streamed answer is unknown until its last token. If we charged
/// only at the end, a hundred concurrent requests could each see the same last dollar and
/// spend it. So we hold the worst case first and return the rest.
///
/// Invariant: no hold is granted unless spent + held + new <= limit on every budget
/// concerned. A cost above its hold is recorded anyway, since the provider bills it, and then
/// blocks new holds.

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/money.h"
#include "base/task.h"
#include "base/time.h"
#include "budget/period.h"
#include "budget/thresholds.h"

namespace claviger::budget {

/// Outcomes a caller must handle. Bugs, such as a negative amount, assert instead.
enum class LedgerError {
  exhausted,       ///< Even `cost_least` does not fit in what is left. Do not retry.
  unknown_budget,  ///< Never existed, or was removed.
  too_many_holds,  ///< The bound on holds in flight is reached.
  unavailable,     ///< The journal or the store cannot take it. Refuse: we fail closed.
  /// Only budget_of(): there are as many budgets of end users as there may be.
  too_many_end_users,
  /// Never leaves a ledger: the money is there, and has to be leased first (lease_store.h).
  needs_lease,
  unknown_hold,  ///< Only settle(): nobody remembers it. See settle_forgotten().
};

/// Why no hold was granted, with what a person needs to act on it.
struct Refusal {
  LedgerError error = LedgerError::unavailable;
  BudgetId budget;                    ///< The tightest one, for `exhausted`.
  NanoUsd left;                       ///< limit - spent - held of that budget, never below 0.
  std::optional<WallTime> resets_at;  ///< When its period ends; none for `total`.
  /// Its policy lets requests wait, and it would fit if those in flight gave back what they
  /// hold; see Patience.
  bool may_fit_later = false;
};

template <typename T>
using Result = std::expected<T, Refusal>;

/// The budgets that one request concerns, at most eight (workspace, owner, app, credential,
/// virtual key, model, end user, and one more), without an allocation.
class BudgetSet {
 public:
  static constexpr std::size_t kMost = 8;
  /// False where the set is full: the caller refuses the request.
  [[nodiscard]] bool add(BudgetId id) {
    if (size_ == kMost) return false;
    ids_[size_++] = id;
    return true;
  }
  std::span<const BudgetId> ids() const { return {ids_.data(), size_}; }
  std::size_t size() const { return size_; }

 private:
  std::array<BudgetId, kMost> ids_{};
  std::size_t size_ = 0;
};

/// How long a request waits for money that others hold, and how it is told to give up. Lives
/// with the request, longer than the call of reserve(), on the thread of the request.
class Patience {
 public:
  explicit Patience(Instant until_when) : until(until_when) {}
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;

  /// The caller has gone: a wait that runs ends at once, and none begins any more. Threads: the
  /// request's own.
  void end() {
    is_ended_ = true;
    if (wait_ != nullptr) wait_->end();
  }
  bool is_ended() const { return is_ended_; }

  const Instant until;

  /// For the ledger: a wait that can be ended. False where it is not to begin.
  class Wait {
   public:
    virtual void end() noexcept = 0;

   protected:
    ~Wait() = default;
  };
  [[nodiscard]] bool begin(Wait& wait) {
    wait_ = &wait;
    return !is_ended_;
  }
  void finish() { wait_ = nullptr; }

 private:
  bool is_ended_ = false;
  Wait* wait_ = nullptr;
};

struct Reservation {
  AttemptId attempt;   ///< Reserving again for the same attempt returns the same hold.
  BudgetSet budgets;   ///< All must have room, or none is touched.
  NanoUsd cost_max;    ///< Worst case; >= 0 (an own model may be free).
  NanoUsd cost_least;  ///< The smallest hold that still makes sense; <= cost_max. A budget
                       ///< whose policy is `clamp` grants between the two: at most a fair
                       ///< share of what is left, so that one caller's worst case does not
                       ///< lock the others out. The others need room for cost_max.
  /// Where it does not fit now and the budget's policy is `clamp` or `queue`, it waits in line.
  /// Null: it does not wait, and does not stand behind those who do.
  Patience* patience = nullptr;
};

/// A hold is a value, not a guard object: a destructor cannot suspend, and a crash has to be
/// handled anyway. Settling at zero releases it.
struct HoldId {
  AttemptId attempt;
  friend auto operator<=>(const HoldId&, const HoldId&) = default;
};

struct Grant {
  HoldId hold;
  NanoUsd amount;  ///< What is held: cost_max, or less where a budget clamped.
  NanoUsd left;    ///< What the tightest budget has left after this hold.
};

/// How well a settled cost is known.
enum class Certainty : std::uint8_t {
  billed,       ///< From the provider's own final usage.
  estimated,    ///< The provider never said: the full hold.
  reconciled,   ///< Corrected by a person from the provider's bill.
  quarantined,  ///< The provider's usage was impossible: the full hold.
};

struct Receipt {
  NanoUsd cost;
  NanoUsd left;  ///< What the tightest budget has left now, never below 0.
};

enum class HoldState : std::uint8_t {
  open,         ///< A request in flight, or one that a crash has not yet been seen to end.
  unconfirmed,  ///< Its process ended before it was settled. Counts until a bill says otherwise.
  settled,
};

/// One attempt, as the ledger remembers it.
struct AttemptMoney {
  AttemptId attempt;
  HoldState state = HoldState::open;
  NanoUsd held;
  std::optional<NanoUsd> cost;         ///< Present exactly where state is `settled`.
  std::optional<Certainty> certainty;  ///< Likewise.
};

/// An attempt whose cost no bill has confirmed: a crash left it unconfirmed, or it is settled as
/// `estimated` or `quarantined`. What a person reconciles.
struct UncertainCost {
  AttemptMoney money;
  WallTime opened_at;
};

/// Why a person says that a cost is another.
enum class CorrectionKind : std::uint8_t {
  bill,         ///< The provider's bill says so; what `reconcile` gives.
  refund,       ///< The provider gave it back, or some of it.
  wrong_price,  ///< It was priced with a row that was wrong.
  other,
};

/// What a person says of a correction, kept beside it for good.
struct CorrectionNote {
  /// Of `reason`, in bytes.
  static constexpr std::size_t kReasonBytesMax = 500;
  CorrectionKind kind = CorrectionKind::bill;
  std::string reason;  ///< One line of UTF-8 text, never empty.
  friend bool operator==(const CorrectionNote&, const CorrectionNote&) = default;
};

/// A settlement that was replaced, or that came from a person: an entry of its own, since history
/// is never rewritten.
struct CorrectionEntry {
  AttemptId attempt;
  WallTime at;
  std::optional<NanoUsd> cost_before;  ///< None where the hold had not been settled.
  NanoUsd cost_after;
  Certainty certainty = Certainty::reconciled;
  /// None where a request settled once more, and no person was asked.
  std::optional<CorrectionNote> note;
};

enum class WhenExhausted : std::uint8_t {
  refuse,
  clamp,      ///< A smaller hold, down to the least that makes sense; below that it waits.
  downgrade,  ///< As refuse: the caller asks again with a cheaper model that the owner named.
  queue,      ///< Waits until the whole hold fits.
};

/// The journal writes ids in 40 bits. Row ids count up from 1, so nobody gets there.
inline constexpr BudgetId kBudgetIdMax{(std::int64_t{1} << 40) - 1};

/// A budget as the ledger needs it: what it is on is the business of `BudgetBook`.
struct BudgetTerms {
  BudgetId id;
  NanoUsd limit;
  Period period = Period::month;
  WhenExhausted when_exhausted = WhenExhausted::clamp;
  TimeZone zone;  ///< In which its periods begin.
  Thresholds warn_at;
  friend bool operator==(const BudgetTerms&, const BudgetTerms&) = default;
};

/// Whom an application names, for one rule. The empty name is that of all whom it does not name.
struct EndUser {
  BudgetId rule;
  AppId app;
  std::string_view name;
};

/// How a budget stands now. spent + held + unconfirmed + left = limit, unless overrun.
struct Balance {
  NanoUsd limit;
  NanoUsd spent;
  NanoUsd held;         ///< By requests in flight.
  NanoUsd unconfirmed;  ///< Held when a crash came; a bill or `reconcile` settles it.
  NanoUsd left;
  WallTime period_start;
  std::optional<WallTime> resets_at;
  /// The period goes on past its end until an operator says that the clock is right.
  bool clock_in_doubt = false;
};

/// Ownership: main() owns the one instance; it outlives every request.
/// Threads: any method, from any thread, concurrently. Methods suspend, never block.
/// Cancellation: safe at any point. The step happened wholly or not at all; repeating the
/// call with the same arguments is harmless and tells you which.
class Ledger {
 public:
  virtual ~Ledger() = default;

  /// Holds money on every budget. Errors: any LedgerError.
  virtual Task<Result<Grant>> reserve(Reservation reservation) = 0;

  /// Replaces the hold by `cost` (>= 0), even when `cost` exceeds it: what was really billed
  /// always wins. Absolute: repeating replaces, never adds, however long ago the hold was
  /// settled. The cost belongs to the period of the hold. Errors: unavailable, unknown_hold.
  virtual Task<Result<Receipt>> settle(HoldId hold, NanoUsd cost, Certainty certainty) = 0;

  /// As settle(); but a hold that nobody remembers, such as one that a power cut took from the
  /// journal before it was on disk, is recorded as spend on `budgets` in their present
  /// periods. Errors: unavailable, unknown_budget.
  virtual Task<Result<Receipt>> settle_forgotten(HoldId hold, BudgetSet budgets, NanoUsd cost,
                                                 Certainty certainty) = 0;

  /// What the ledger knows of a request's attempts, by number: for `reconcile`, which must name
  /// the attempt that a bill is for. Empty where it knows none. Errors: unavailable.
  virtual Task<Result<std::vector<AttemptMoney>>> attempts(RequestId request) = 0;

  /// As settle() with Certainty::reconciled, by a person who says why. The note is durable before
  /// the money moves. Where the attempt costs that already nothing is entered. Errors: unavailable,
  /// unknown_hold.
  virtual Task<Result<Receipt>> correct(HoldId hold, NanoUsd cost, CorrectionNote note) = 0;

  /// Corrections since then, the latest first, at most `most`. Errors: unavailable.
  virtual Task<Result<std::vector<CorrectionEntry>>> corrections(WallTime since,
                                                                 std::size_t most) = 0;

  /// What is still to be reconciled, the oldest first, at most `most`. Errors: unavailable.
  virtual Task<Result<std::vector<UncertainCost>>> uncertain(std::size_t most) = 0;

  /// Adds a budget, or changes its terms at once for new holds. Running requests finish. The
  /// limit is >= 0. What was spent in the running period stays spent; where the kind of period
  /// changes to a shorter one, counting starts afresh with it. Errors: unknown_budget, where
  /// the id is none or above kBudgetIdMax.
  virtual Task<Result<void>> set_terms(BudgetTerms terms) = 0;
  /// Errors: unknown_budget.
  virtual Task<Result<void>> remove(BudgetId budget) = 0;
  /// Adds or changes a rule that gives each end user a budget on these terms; `terms.id` is the
  /// rule's. Budgets that it has made follow at once. remove() takes them along.
  virtual Task<Result<void>> set_rule(BudgetTerms terms) = 0;
  /// The budget that a rule has for an end user, made where there is none yet: the first time
  /// that takes a look into the store. `user` is valid until the call has ended. Errors:
  /// unknown_budget where there is no such rule, too_many_end_users, unavailable.
  virtual Task<Result<BudgetId>> budget_of(EndUser user) = 0;
  /// Errors: unknown_budget.
  virtual Task<Result<Balance>> balance(BudgetId budget) = 0;
};

}  // namespace claviger::budget
