#include "store/sqlite/ledger_store.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <span>

#include "store/hold_block.h"
#include "store/sqlite/budget_words.h"
#include "store/sqlite/sql.h"

namespace claviger::store {
namespace {

using budget::Correction;
using budget::CorrectionEntry;
using budget::CorrectionKind;
using budget::CorrectionNote;
using budget::FoldBatch;
using budget::HeldOn;
using budget::HeldOnSet;
using budget::HoldState;
using budget::JournalPosition;
using budget::LedgerState;
using budget::LedgerStoreError;
using budget::StoredHold;
using budget::StoredPeriod;

constexpr EnumWords<HoldState, 3> kHoldStates{{{{HoldState::open, "open"},
                                                {HoldState::unconfirmed, "unconfirmed"},
                                                {HoldState::settled, "settled"}}}};

constexpr EnumWords<CorrectionKind, 4> kCorrectionKinds{
    {{{CorrectionKind::bill, "bill"},
      {CorrectionKind::refund, "refund"},
      {CorrectionKind::wrong_price, "wrong_price"},
      {CorrectionKind::other, "other"}}}};

constexpr std::string_view kHoldColumns =
    "request_id, attempt, opened_at, held_nanos, budgets, state, cost_nanos, certainty";

constexpr std::unexpected<LedgerStoreError> unavailable() {
  return std::unexpected(LedgerStoreError::unavailable);
}

/// `3:1700000000000000,9:0`: budget and start of its period in microseconds. In one column,
/// because rows of a table of their own would make folding several times as slow.
std::string held_on_text(const HeldOnSet& budgets) {
  std::string text;
  for (const HeldOn& held_on : budgets.items()) {
    if (!text.empty()) text += ',';
    text += std::to_string(held_on.budget.value) + ':' +
            std::to_string(unix_micros(held_on.period_start));
  }
  return text;
}

/// Takes a number and `separator` (or the end of `text`) off the front of `text`.
std::optional<std::int64_t> take_number(std::string_view& text, char separator) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.empty()) return number;
  if (text.front() != separator) return std::nullopt;
  text.remove_prefix(1);
  return number;
}

std::optional<HeldOnSet> parse_held_on(std::string_view text) {
  HeldOnSet budgets;
  while (!text.empty()) {
    const auto budget = take_number(text, ':');
    const auto period = take_number(text, ',');
    if (!budget || !period ||
        !budgets.add({.budget = BudgetId{*budget}, .period_start = from_unix_micros(*period)})) {
      return std::nullopt;
    }
  }
  return budgets;
}

std::optional<StoredHold> read_hold(const Query& row) {
  const auto request = request_id_of(row.blob(0));
  auto budgets = parse_held_on(row.text(4));
  const auto state = kHoldStates.parse(row.text(5));
  if (!request || !budgets || !state) return std::nullopt;
  StoredHold hold{
      .attempt = {.request = *request, .number = static_cast<std::uint32_t>(row.integer(1))},
      .opened_at = from_unix_micros(row.integer(2)),
      .held = NanoUsd(row.integer(3)),
      .budgets = *budgets,
      .state = *state,
      .cost = std::nullopt,
      .certainty = std::nullopt};
  if (*state == HoldState::settled) {
    hold.cost = NanoUsd(row.integer(6));
    hold.certainty = kCertainties.parse(row.text(7));
    if (!hold.certainty) return std::nullopt;
  }
  return hold;
}

std::optional<CorrectionEntry> read_correction(const Query& row) {
  const auto request = request_id_of(row.blob(0));
  const auto certainty = kCertainties.parse(row.text(5));
  if (!request || !certainty) return std::nullopt;
  CorrectionEntry entry{
      .attempt = {.request = *request, .number = static_cast<std::uint32_t>(row.integer(1))},
      .at = from_unix_micros(row.integer(2)),
      .cost_before = std::nullopt,
      .cost_after = NanoUsd(row.integer(4)),
      .certainty = *certainty,
      .note = std::nullopt};
  if (!row.is_null(3)) entry.cost_before = NanoUsd(row.integer(3));
  if (!row.is_null(6)) {
    const auto kind = kCorrectionKinds.parse(row.text(6));
    if (!kind) return std::nullopt;
    entry.note = CorrectionNote{.kind = *kind, .reason = std::string(row.text(7))};
  }
  return entry;
}

std::optional<StoredPeriod> read_period(const Query& row) {
  return StoredPeriod{.budget = BudgetId{row.integer(0)},
                      .period_start = from_unix_micros(row.integer(1)),
                      .spent = NanoUsd(row.integer(2))};
}

DbResult<JournalPosition> read_position(Database& database) {
  const auto position = select_one<JournalPosition>(
      database, "SELECT segment, slot FROM journal_checkpoint", [](const Query& row) {
        return std::optional(JournalPosition{.segment = static_cast<std::uint64_t>(row.integer(0)),
                                             .slot = static_cast<std::uint64_t>(row.integer(1))});
      });
  if (!position) return std::unexpected(position.error());
  return position->value_or(JournalPosition{});
}

DbResult<void> write_position(Database& database, JournalPosition position) {
  const auto written = change(database,
                              "INSERT INTO journal_checkpoint (one, segment, slot)"
                              " VALUES (1, ?, ?) ON CONFLICT (one) DO UPDATE"
                              " SET segment = excluded.segment, slot = excluded.slot",
                              position.segment, position.slot);
  if (!written) return std::unexpected(written.error());
  return {};
}

/// Calls `use(hold)` for each hold that blocks may have of the requests from `first` to `last`,
/// of one minute; some of others too.
template <typename Use>
DbResult<void> each_in_blocks(Database& database, RequestId first, RequestId last, Use&& use) {
  const RequestId after = first_id_of_minute(block_minute(first) + 1);
  const auto blocks = select<std::string>(
      database,
      "SELECT holds FROM hold_blocks WHERE last_id >= ? AND last_id < ? AND first_id <= ?",
      [](const Query& row) { return std::optional(row.blob(0)); }, Blob{to_blob(first)},
      Blob{to_blob(after)}, Blob{to_blob(last)});
  if (!blocks) return std::unexpected(blocks.error());
  for (const std::string& block : *blocks) {
    HoldBlockReader reader(block);
    while (reader.next()) use(reader.hold());
    if (reader.is_broken()) return std::unexpected(not_understood(database));
  }
  return {};
}

DbResult<std::vector<StoredHold>> find_in_blocks(Database& database, RequestId request) {
  std::vector<StoredHold> found;
  const auto walked = each_in_blocks(database, request, request, [&](const StoredHold& hold) {
    if (hold.attempt.request == request) found.push_back(hold);
  });
  if (!walked) return std::unexpected(walked.error());
  return found;
}

DbResult<void> insert_hold(Database& database, const StoredHold& hold) {
  const auto certainty = hold.certainty ? std::optional(kCertainties.of(*hold.certainty))
                                        : std::optional<std::string_view>();
  const auto written = change(
      database,
      "INSERT INTO holds (request_id, attempt, opened_at, held_nanos, budgets, state, cost_nanos,"
      " certainty) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (request_id, attempt) DO UPDATE"
      " SET state = excluded.state, cost_nanos = excluded.cost_nanos,"
      " certainty = excluded.certainty",
      Blob{to_blob(hold.attempt.request)}, hold.attempt.number, hold.opened_at, hold.held,
      held_on_text(hold.budgets), kHoldStates.of(hold.state), hold.cost, certainty);
  if (!written) return std::unexpected(written.error());
  return {};
}

/// One that is there already keeps when it was opened, what it held and on which budgets: also
/// where it has been lying in a block, which is never written again, and gets a row now.
DbResult<void> write_hold(Database& database, const StoredHold& hold) {
  if (hold.state != HoldState::settled) return insert_hold(database, hold);
  const auto settled = change(database,
                              "UPDATE holds SET state = 'settled', cost_nanos = ?, certainty = ?"
                              " WHERE request_id = ? AND attempt = ?",
                              hold.cost, kCertainties.of(hold.certainty.value()),
                              Blob{to_blob(hold.attempt.request)}, hold.attempt.number);
  if (!settled) return std::unexpected(settled.error());
  if (*settled > 0) return {};
  const auto before = find_in_blocks(database, hold.attempt.request);
  if (!before) return std::unexpected(before.error());
  StoredHold row = hold;
  for (const StoredHold& one : *before) {
    if (one.attempt != hold.attempt) continue;
    row.opened_at = one.opened_at;
    row.held = one.held;
    row.budgets = one.budgets;
  }
  return insert_hold(database, row);
}

/// Settled holds that nothing is left to say about, as blocks.
DbResult<void> write_closed(Database& database, const std::vector<StoredHold>& closed) {
  std::vector<const StoredHold*> sorted;
  sorted.reserve(closed.size());
  for (const StoredHold& hold : closed) sorted.push_back(&hold);
  std::ranges::sort(sorted, {}, [](const StoredHold* hold) { return hold->attempt; });
  for (std::span<const StoredHold* const> rest = sorted; !rest.empty();) {
    const auto minute_of = [](const StoredHold* hold) {
      return block_minute(hold->attempt.request);
    };
    const auto next = std::ranges::upper_bound(rest, minute_of(rest.front()), {}, minute_of);
    const auto of_minute = static_cast<std::size_t>(next - rest.begin());
    const auto block = rest.first(std::min(of_minute, block_items_max));
    const auto written =
        change(database,
               "INSERT INTO hold_blocks (first_id, last_id, holds)"
               " VALUES (?, ?, ?)",
               Blob{to_blob(block.front()->attempt.request)},
               Blob{to_blob(block.back()->attempt.request)}, Blob{pack_holds(block)});
    if (!written) return std::unexpected(written.error());
    rest = rest.subspan(block.size());
  }
  return {};
}

/// Adds in NanoUsd, which saturates: a sum of SQLite's own that leaves 64 bits would turn into
/// floating point and then be refused by the column.
DbResult<void> add_spent(Database& database, const StoredPeriod& by) {
  const auto before = select_one<std::int64_t>(
      database, "SELECT spent_nanos FROM budget_periods WHERE budget_id = ? AND period_start = ?",
      read_integer, by.budget, by.period_start);
  if (!before) return std::unexpected(before.error());
  const auto written = change(database,
                              "INSERT INTO budget_periods (budget_id, period_start, spent_nanos)"
                              " VALUES (?, ?, ?) ON CONFLICT (budget_id, period_start) DO UPDATE"
                              " SET spent_nanos = excluded.spent_nanos",
                              by.budget, by.period_start, NanoUsd(before->value_or(0)) + by.spent);
  if (!written) return std::unexpected(written.error());
  return {};
}

DbResult<void> write_correction(Database& database, const Correction& correction) {
  const auto written =
      change(database,
             "INSERT INTO hold_corrections (request_id, attempt, at, cost_before_nanos,"
             " cost_after_nanos, certainty, note_id)"
             " VALUES (?, ?, ?, ?, ?, ?, (SELECT id FROM correction_notes WHERE id = ?))",
             Blob{to_blob(correction.attempt.request)}, correction.attempt.number, correction.at,
             correction.cost_before, correction.cost_after, kCertainties.of(correction.certainty),
             static_cast<std::int64_t>(correction.note));
  if (!written) return std::unexpected(written.error());
  return {};
}

DbResult<void> write_batch(Database& database, const FoldBatch& batch) {
  for (const StoredHold& hold : batch.holds) {
    if (auto written = write_hold(database, hold); !written) return written;
  }
  if (auto written = write_closed(database, batch.closed); !written) return written;
  for (const StoredPeriod& change_of_spent : batch.spent_changes) {
    if (auto added = add_spent(database, change_of_spent); !added) return added;
  }
  for (const Correction& correction : batch.corrections) {
    if (auto written = write_correction(database, correction); !written) return written;
  }
  return write_position(database, batch.to);
}

}  // namespace

std::expected<LedgerState, LedgerStoreError> SqliteLedgerStore::load() {
  LedgerState state;
  // One transaction, so that the position and the sums are of the same moment.
  const auto loaded = database_.transaction([&]() -> DbResult<void> {
    const auto position = read_position(database_);
    if (!position) return std::unexpected(position.error());
    state.folded_up_to = *position;

    auto periods = select<StoredPeriod>(
        database_,
        "SELECT budget_id, period_start, spent_nanos FROM budget_periods AS latest"
        " WHERE period_start = (SELECT max(period_start) FROM budget_periods"
        "  WHERE budget_id = latest.budget_id) ORDER BY budget_id",
        read_period);
    if (!periods) return std::unexpected(periods.error());
    state.latest_periods = std::move(*periods);

    auto unsettled = select<StoredHold>(database_,
                                        "SELECT " + std::string(kHoldColumns) +
                                            " FROM holds WHERE state <> 'settled'"
                                            " ORDER BY request_id, attempt",
                                        read_hold);
    if (!unsettled) return std::unexpected(unsettled.error());
    state.unsettled = std::move(*unsettled);

    const auto newest = select_one<RequestId>(
        database_,
        "SELECT max(id) AS newest FROM (SELECT max(request_id) AS id FROM holds"
        " UNION ALL SELECT max(last_id) FROM hold_blocks) HAVING newest IS NOT NULL",
        [](const Query& row) { return request_id_of(row.blob(0)); });
    if (!newest) return std::unexpected(newest.error());
    state.newest_request = *newest;
    return {};
  });
  if (!loaded) return unavailable();
  return state;
}

std::expected<void, LedgerStoreError> SqliteLedgerStore::fold(const FoldBatch& batch) {
  bool out_of_step = false;
  const auto folded = database_.transaction([&]() -> DbResult<void> {
    const auto position = read_position(database_);
    if (!position) return std::unexpected(position.error());
    out_of_step = *position != batch.from;
    if (out_of_step) return {};
    return write_batch(database_, batch);
  });
  if (!folded) return unavailable();
  if (out_of_step) return std::unexpected(LedgerStoreError::out_of_step);
  return {};
}

std::expected<std::optional<StoredHold>, LedgerStoreError> SqliteLedgerStore::find(
    const AttemptId& attempt) {
  auto hold = select_one<StoredHold>(
      database_,
      "SELECT " + std::string(kHoldColumns) + " FROM holds WHERE request_id = ? AND attempt = ?",
      read_hold, Blob{to_blob(attempt.request)}, attempt.number);
  if (!hold) return unavailable();
  if (*hold) return std::move(*hold);
  auto in_blocks = find_in_blocks(database_, attempt.request);
  if (!in_blocks) return unavailable();
  const auto found = std::ranges::find(*in_blocks, attempt, &StoredHold::attempt);
  if (found == in_blocks->end()) return std::nullopt;
  return std::move(*found);
}

std::expected<std::vector<StoredHold>, LedgerStoreError> SqliteLedgerStore::find_all(
    const RequestId& request) {
  auto holds = select<StoredHold>(
      database_,
      "SELECT " + std::string(kHoldColumns) + " FROM holds WHERE request_id = ? ORDER BY attempt",
      read_hold, Blob{to_blob(request)});
  if (!holds) return unavailable();
  auto in_blocks = find_in_blocks(database_, request);
  if (!in_blocks) return unavailable();
  // A row is newer than what a block says of the same attempt.
  for (StoredHold& hold : *in_blocks) {
    if (std::ranges::find(*holds, hold.attempt, &StoredHold::attempt) == holds->end()) {
      holds->push_back(std::move(hold));
    }
  }
  std::ranges::sort(*holds, {}, &StoredHold::attempt);
  return std::move(*holds);
}

std::expected<std::vector<StoredHold>, LedgerStoreError> SqliteLedgerStore::uncertain(
    std::size_t most) {
  // The condition is that of the index holds_uncertain, word for word.
  auto holds =
      select<StoredHold>(database_,
                         "SELECT " + std::string(kHoldColumns) +
                             " FROM holds WHERE (state = 'unconfirmed' OR certainty = 'estimated'"
                             " OR certainty = 'quarantined') ORDER BY request_id, attempt LIMIT ?",
                         read_hold, static_cast<std::int64_t>(most));
  if (!holds) return unavailable();
  return std::move(*holds);
}

std::expected<std::uint32_t, LedgerStoreError> SqliteLedgerStore::add_note(
    const CorrectionNote& note, WallTime now) {
  std::int64_t number = 0;
  const auto added = database_.transaction([&]() -> DbResult<void> {
    const auto inserted = change(
        database_, "INSERT INTO correction_notes (kind, reason, written_at) VALUES (?, ?, ?)",
        kCorrectionKinds.of(note.kind), note.reason, now);
    if (!inserted) return std::unexpected(inserted.error());
    number = database_.last_insert_id();
    return {};
  });
  // The journal writes it in 32 bits.
  if (!added || number > std::numeric_limits<std::uint32_t>::max()) return unavailable();
  return static_cast<std::uint32_t>(number);
}

std::expected<std::vector<CorrectionEntry>, LedgerStoreError> SqliteLedgerStore::corrections(
    WallTime since, std::size_t most) {
  auto found = select<CorrectionEntry>(
      database_,
      "SELECT request_id, attempt, at, cost_before_nanos, cost_after_nanos, certainty, kind, reason"
      " FROM hold_corrections LEFT JOIN correction_notes ON correction_notes.id = note_id"
      " WHERE at >= ? ORDER BY at DESC, hold_corrections.id DESC LIMIT ?",
      read_correction, since, static_cast<std::int64_t>(most));
  if (!found) return unavailable();
  return std::move(*found);
}

}  // namespace claviger::store
