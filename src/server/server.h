#pragma once

/// The composition root: constructs every room's objects, connects them, runs them, and ends
/// them in order. No other place knows them all.

#include <atomic>
#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/money.h"
#include "budget/ledger.h"
#include "server/config.h"

namespace claviger::server {

struct ServeOptions {
  std::filesystem::path home;
  std::optional<std::string> listen;  ///< HOST:PORT, instead of the settings'.
  bool behind_tls_proxy = false;
  /// Puts another ledger between requests and the real one, which outlives it. For the tests of
  /// our tests alone: they show that a ledger which counts after the call is caught.
  std::function<std::unique_ptr<budget::Ledger>(budget::Ledger& real)> ledger_for_requests;
};

/// `claviger serve`: runs until SIGTERM or SIGINT, then drains. Prints where it listens once
/// it is ready. Returns the exit status; says what is wrong on standard error.
int serve(const ServeOptions& options);

struct InitOptions {
  std::filesystem::path home;
  NanoUsd default_limit;
  bool as_json = false;
};
/// `claviger init`. Prints the first admin key, once.
int init(const InitOptions& options);

struct CheckConfigOptions {
  std::filesystem::path home;
  bool as_json = false;
};
/// `claviger config check`: reads the home's claviger.toml; no server is needed for it.
int check_config_file(const CheckConfigOptions& options);

struct RestoreOptions {
  std::filesystem::path home;
  std::filesystem::path file;
  /// What was spent since the backup was made, on every budget: without it nobody knows.
  NanoUsd spent_since;
  bool as_json = false;
};
/// `claviger restore`: replaces the home's database by a backup. The server must not run.
/// Virtual keys stay disabled until `claviger key confirm`.
int restore(const RestoreOptions& options);

}  // namespace claviger::server
