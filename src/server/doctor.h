#pragma once

/// `claviger doctor`: looks at this installation and says what is in force, what is missing,
/// and what to do about it.

#include <filesystem>
#include <vector>

#include "budget/journal_ledger.h"
#include "console/control.h"
#include "local/runner_supervisor.h"
#include "server/config.h"
#include "server/home.h"
#include "store/sqlite/database.h"
#include "vault/vault.h"

namespace claviger::server {

struct Installation {
  const HomePaths& paths;
  const Config& config;
  const vault::Vault& vault;
  store::Database& database;
  local::RunnerSupervisor& runner;
  budget::JournalLedger& ledger;
  std::int64_t records_lost;
  std::int64_t contents_lost;
};

/// Takes some milliseconds and forks (the sandbox's parts are tried, not guessed).
std::vector<console::Finding> examine_installation(const Installation& installation);

}  // namespace claviger::server
