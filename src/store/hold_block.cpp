#include "store/hold_block.h"

namespace claviger::store {
namespace {

using budget::Certainty;
using budget::HeldOn;
using budget::HoldState;
using budget::StoredHold;

/// Says how the rest is to be read. A block of another format begins with another number.
constexpr std::uint64_t kFormat = 1;
/// In the place of the number of budgets: those of the hold before.
constexpr std::uint64_t kSameBudgets = 0;

/// What a number means here is written down once and for all.
constexpr Certainty kCertainties[] = {Certainty::billed, Certainty::estimated,
                                      Certainty::reconciled, Certainty::quarantined};

std::uint64_t number_of(Certainty certainty) {
  std::uint64_t number = 0;
  while (kCertainties[number] != certainty) ++number;
  return number;
}

void pack_hold(Packer& out, const StoredHold& hold, const StoredHold& previous) {
  out.id(hold.attempt.request, previous.attempt.request);
  out.natural(hold.attempt.number);
  // Wraps as its reading does: a block that somebody else wrote may hold any two times.
  out.integer(
      static_cast<std::int64_t>(static_cast<std::uint64_t>(unix_micros(hold.opened_at)) -
                                static_cast<std::uint64_t>(unix_micros(previous.opened_at))));
  out.integer(hold.held.nanos());
  if (hold.budgets == previous.budgets) {
    out.natural(kSameBudgets);
  } else {
    out.natural(1 + hold.budgets.size());
    for (const HeldOn& held_on : hold.budgets.items()) {
      out.integer(held_on.budget.value);
      out.integer(unix_micros(held_on.period_start));
    }
  }
  out.integer(hold.cost.value_or(hold.held).nanos());
  out.natural(number_of(hold.certainty.value_or(Certainty::estimated)));
}

}  // namespace

std::string pack_holds(std::span<const StoredHold* const> holds) {
  static const StoredHold kNothing{};
  Packer out;
  out.natural(kFormat);
  out.natural(holds.size());
  const StoredHold* previous = &kNothing;
  for (const StoredHold* const hold : holds) {
    pack_hold(out, *hold, *previous);
    previous = hold;
  }
  return out.take();
}

HoldBlockReader::HoldBlockReader(std::string_view bytes) : in_(bytes) {
  if (in_.natural() != kFormat) in_.broken();
  left_ = in_.natural();
  if (left_ > block_items_max) in_.broken();
  hold_.state = HoldState::settled;
}

void HoldBlockReader::read_budgets() {
  const std::uint64_t said = in_.natural();
  if (said == kSameBudgets) return;
  hold_.budgets = {};
  for (std::uint64_t i = 1; i < said && !in_.is_broken(); ++i) {
    const BudgetId budget{in_.integer()};
    if (!hold_.budgets.add({budget, from_unix_micros(in_.integer())})) in_.broken();
  }
}

bool HoldBlockReader::next() {
  if (left_ == 0 && !in_.is_at_end()) in_.broken();
  if (left_ == 0 || in_.is_broken()) return false;
  --left_;
  hold_.attempt.request = in_.id(hold_.attempt.request);
  const std::uint64_t number = in_.natural();
  if (number > ~std::uint32_t{0}) in_.broken();
  hold_.attempt.number = static_cast<std::uint32_t>(number);
  // Wraps where somebody else wrote it, instead of leaving the range.
  hold_.opened_at = from_unix_micros(
      static_cast<std::int64_t>(static_cast<std::uint64_t>(in_.integer()) +
                                static_cast<std::uint64_t>(unix_micros(hold_.opened_at))));
  hold_.held = NanoUsd(in_.integer());
  read_budgets();
  hold_.cost = NanoUsd(in_.integer());
  const std::uint64_t certainty = in_.natural();
  if (certainty >= std::size(kCertainties)) {
    in_.broken();
    return false;
  }
  hold_.certainty = kCertainties[certainty];
  return !in_.is_broken();
}

}  // namespace claviger::store
