/// Power cuts and real kills: what was on disk, and what was promised, is found again.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "budget/journal_ledger_fixture.h"

namespace claviger::budget {
namespace {

using namespace std::chrono_literals;

using JournalCrashTest = JournalLedgerTest;

// ---- Power cuts ----

/// What can have become of one attempt: how much counts for it in each of its states, the
/// first being the one that was on disk at the last sync.
using Histories = std::map<std::uint64_t, std::vector<NanoUsd>>;

/// Destroys bytes of records that were not on disk yet, in one of three ways.
void damage(std::mt19937_64& random, const std::string& path, std::uint64_t synced_slots) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  ASSERT_TRUE(file.is_open()) << path;
  file.seekg(0, std::ios::end);
  const auto size = static_cast<std::uint64_t>(file.tellg());
  const std::uint64_t from = kSlotBytes * (synced_slots + 1);
  if (from >= size) return;
  if (random() % 3 == 0) {
    file.close();
    ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(from + random() % (size - from))), 0);
    return;
  }
  const std::string zeros(kSlotBytes, '\0');
  for (std::uint64_t at = from; at < size; at += kSlotBytes) {
    if (random() % 3 != 0) continue;
    if (random() % 2 == 0) {  // A whole slot that never got to the disk.
      file.seekp(static_cast<std::streamoff>(at));
      file.write(zeros.data(), static_cast<std::streamsize>(kSlotBytes));
    } else {  // Only a part of it did.
      const std::uint64_t cut = random() % kSlotBytes;
      file.seekp(static_cast<std::streamoff>(at + cut));
      file.write(zeros.data(), static_cast<std::streamsize>(kSlotBytes - cut));
    }
  }
}

TEST_F(JournalCrashTest, APowerCutAtAnyByteNeverLoosensALimitForWhatWasOnDisk) {
  constexpr unsigned kSeed = 20'261'123;
  RecordProperty("seed", static_cast<int>(kSeed));
  std::mt19937_64 random(kSeed);
  std::uint64_t next_number = 1;
  std::map<std::uint64_t, NanoUsd> counted;  // What each attempt counts for, once certain.
  for (int cut = 0; cut < 25; ++cut) {
    auto ledger = open(by_hand(64), dollars(1'000'000));
    Histories histories;
    for (const auto& [number, amount] : counted) histories[number] = {amount};
    std::vector<std::uint64_t> mine;
    JournalPosition synced = ledger->journal().position_of(0);
    const auto steps = 1 + random() % 120;
    for (std::uint64_t step = 0; step < steps; ++step) {
      if (mine.empty() || random() % 2 == 0) {
        const NanoUsd amount(static_cast<std::int64_t>(1 + random() % 1'000'000));
        const auto hold = run(ledger->reserve(reservation(attempt(next_number), on({1}), amount)));
        if (!hold) {  // No room before the next sync.
          ASSERT_EQ(hold.error().error, LedgerError::unavailable);
        } else {
          histories[next_number] = {NanoUsd(), amount};  // Before: nothing.
          mine.push_back(next_number++);
        }
      } else {
        const std::uint64_t number = mine[random() % mine.size()];
        const NanoUsd cost(static_cast<std::int64_t>(random() % 2'000'000));
        const auto settled =
            run(ledger->settle(HoldId{attempt(number)}, cost, Certainty::reconciled));
        if (settled) histories[number].push_back(cost);
      }
      if (random() % 8 == 0) {
        ledger->sync_now();
        synced = ledger->journal().position_of(ledger->journal().durable_up_to());
        for (auto& [number, states] : histories) states = {states.back()};
      }
      if (random() % 16 == 0) {
        // The store is on disk, whatever the journal is.
        ASSERT_TRUE(ledger->fold_now());
        synced = ledger->journal().position_of(ledger->journal().durable_up_to());
        for (auto& [number, states] : histories) states = {states.back()};
      }
    }
    ledger->abandon();
    ledger.reset();
    for (const std::uint64_t segment : list_segments(folder.path() + "/journal").value()) {
      if (segment < synced.segment) continue;
      damage(random, segment_path(segment), segment == synced.segment ? synced.slot : 0);
    }

    ledger = open(by_hand(), dollars(1'000'000));
    NanoUsd sum;
    counted.clear();
    for (const auto& [number, states] : histories) {
      const auto found = run(ledger->attempts(attempt(number).request));
      ASSERT_TRUE(found);
      NanoUsd counts;
      if (!found->empty()) {
        const AttemptMoney& money = found->front();
        counts = money.state == HoldState::settled ? *money.cost : money.held;
      }
      ASSERT_NE(std::ranges::find(states, counts), states.end())
          << "attempt " << number << " in cut " << cut << ", seed " << kSeed;
      if (found->empty()) continue;
      counted[number] = counts;
      sum += counts;
    }
    const Balance balance = run(ledger->balance(BudgetId{1})).value();
    ASSERT_EQ(balance.spent + balance.unconfirmed, sum) << "cut " << cut << ", seed " << kSeed;
  }
}

// ---- A real kill ----

struct Said {
  std::uint64_t number = 0;
  NanoUsd amount;  ///< Held; or, negative and less one, settled at.
};

/// Holds and settles, and says each thing when it has been promised, until it is killed.
[[noreturn]] void be_killed(const JournalLedgerConfig& config, int say, unsigned seed) {
  SystemClock clock;
  MemoryLedgerStore store;
  auto ledger = JournalLedger::open(clock, store, config);
  if (!ledger) ::_exit(1);
  static_cast<void>(
      run((*ledger)->set_terms({.id = BudgetId{1}, .limit = dollars(1'000'000)})).has_value());
  std::mt19937_64 random(seed);
  for (std::uint64_t number = 1;; ++number) {
    const NanoUsd amount(static_cast<std::int64_t>(1 + random() % 1'000'000));
    if (!run((*ledger)->reserve(reservation(attempt(number), on({1}), amount)))) {
      (*ledger)->sync_now();
      continue;
    }
    const Said held{number, amount};
    if (::write(say, &held, sizeof held) != sizeof held) ::_exit(1);
    if (random() % 4 == 0) continue;
    const NanoUsd cost(static_cast<std::int64_t>(random() % 1'000'000));
    if (!run((*ledger)->settle(HoldId{attempt(number)}, cost, Certainty::billed))) ::_exit(1);
    const Said settled{number, NanoUsd(-1) - cost};
    if (::write(say, &settled, sizeof settled) != sizeof settled) ::_exit(1);
  }
}

TEST_F(JournalCrashTest, WhatWasPromisedOutlivesKillMinusNine) {
  constexpr unsigned kSeed = 99;
  RecordProperty("seed", static_cast<int>(kSeed));
  std::mt19937_64 random(kSeed);
  for (int kill_number = 0; kill_number < 8; ++kill_number) {
    ScratchFolder home;
    JournalLedgerConfig config = by_hand();
    config.journal.folder = home.path() + "/journal";
    config.journal.group_every = 1ms;
    config.journal.slots_per_segment = 4'096;
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(pipe_ends[0]);
      be_killed(config, pipe_ends[1], kSeed + static_cast<unsigned>(kill_number));
    }
    ::close(pipe_ends[1]);
    std::map<std::uint64_t, NanoUsd> held;
    std::map<std::uint64_t, NanoUsd> settled;
    const auto hear = [&] {
      Said said;
      if (::read(pipe_ends[0], &said, sizeof said) != sizeof said) return false;
      if (said.amount.is_negative()) {
        settled[said.number] = NanoUsd(-1) - said.amount;
      } else {
        held[said.number] = said.amount;
      }
      return true;
    };
    const std::uint64_t hear_max = 1 + random() % 3'000;
    for (std::uint64_t heard = 0; heard < hear_max; ++heard) ASSERT_TRUE(hear());
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    while (hear()) {
    }
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    ::close(pipe_ends[0]);

    MemoryLedgerStore after;
    config.journal.group_every = std::nullopt;
    auto opened = JournalLedger::open(clock, after, config);
    ASSERT_TRUE(opened) << opened.error();
    for (const auto& [number, amount] : held) {
      const auto found = run((*opened)->attempts(attempt(number).request)).value();
      ASSERT_EQ(found.size(), 1u) << number;
      ASSERT_EQ(found[0].held, amount) << number;
      const auto known = settled.find(number);
      if (known != settled.end()) {
        ASSERT_EQ(found[0].cost, known->second) << number;
      } else if (number != held.rbegin()->first) {  // The last one's was perhaps on its way.
        ASSERT_EQ(found[0].state, HoldState::unconfirmed) << number;
      }
    }
  }
}

}  // namespace
}  // namespace claviger::budget
