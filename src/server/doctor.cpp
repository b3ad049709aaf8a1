#include "server/doctor.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/secret.h"
#include "local/runner_program.h"
#include "local/sandbox.h"
#include "record/kept_content.h"
#include "vault/process_hardening.h"

namespace claviger::server {
namespace {

using console::Finding;
using Findings = std::vector<Finding>;

void add(Findings& findings, Finding::Level level, std::string subject, std::string message) {
  findings.push_back({level, std::move(subject), std::move(message)});
}

void look_at_home(const Installation& it, Findings& findings) {
  const auto checked = check_home(it.paths);
  add(findings, checked ? Finding::Level::good : Finding::Level::problem, "home",
      checked ? it.paths.root.string() + " is ours alone" : checked.error());
  struct stat status{};
  if (it.config.root_key == "file" && ::stat(it.paths.root_key().c_str(), &status) == 0) {
    const bool is_private = (status.st_mode & 077) == 0;
    add(findings, is_private ? Finding::Level::good : Finding::Level::problem, "root key",
        is_private ? "readable by us alone; keep a copy of it apart from backups"
                   : "others may read " + it.paths.root_key().string() + "; run: chmod 600 " +
                         it.paths.root_key().string());
  }
}

void look_at_disk(const Installation& it, Findings& findings) {
  struct statvfs disk{};
  if (::statvfs(it.paths.root.c_str(), &disk) != 0) return;
  const std::uint64_t free_mib =
      static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize / (std::uint64_t{1} << 20);
  const auto level = free_mib < 256    ? Finding::Level::problem
                     : free_mib < 2048 ? Finding::Level::warning
                                       : Finding::Level::good;
  add(findings, level, "disk",
      fmt::format("{} MiB free{}", free_mib,
                  level == Finding::Level::good
                      ? ""
                      : "; on a full disk new requests are refused, so make room"));
}

void look_at_database(const Installation& it, Findings& findings) {
  const auto statement = it.database.prepare("PRAGMA quick_check(1)");
  bool is_sound = false;
  std::string answer = statement ? "no answer" : statement.error().message;
  if (statement) {
    store::Query query(**statement);
    if (query.step().value_or(false)) answer = query.text(0);
    is_sound = answer == "ok";
  }
  add(findings, is_sound ? Finding::Level::good : Finding::Level::problem, "database",
      is_sound ? "sound" : "damaged: " + answer + "; restore a backup with: claviger restore FILE");
  if (it.records_lost > 0) {
    add(findings, Finding::Level::warning, "records",
        fmt::format("{} request records were lost because the disk could not keep up; money is "
                    "not affected",
                    it.records_lost));
  }
  if (it.contents_lost > 0) {
    add(findings, Finding::Level::warning, "contents",
        fmt::format("{} requests could not be kept for a replay: they were above {} KiB, or more "
                    "came at once than is kept; their records and money are not affected",
                    it.contents_lost, record::kept_request_bytes_max / 1024));
  }
}

void look_at_vault(const Installation& it, Findings& findings) {
  const std::size_t tampered = it.vault.tampered().size();
  add(findings, tampered == 0 ? Finding::Level::good : Finding::Level::problem, "credentials",
      tampered == 0 ? "all open"
                    : fmt::format("{} do not open: they were altered or moved; see: claviger vault "
                                  "status",
                                  tampered));
  const SecretArenaState arena = secret_arena_state();
  add(findings, arena.locked ? Finding::Level::good : Finding::Level::warning, "memory of secrets",
      arena.locked ? fmt::format("locked; {} of {} KiB used", arena.bytes_used / 1024,
                                 arena.bytes_total / 1024)
                   : "not locked, so it could be swapped to disk; raise RLIMIT_MEMLOCK to 4 MiB "
                     "or more (ulimit -l, or LimitMEMLOCK= in systemd)");
  for (const vault::HardeningMeasure& measure : vault::inspect_hardening()) {
    const bool in_force = measure.state == vault::HardeningState::in_force;
    add(findings, in_force ? Finding::Level::good : Finding::Level::warning, measure.name,
        measure.detail);
  }
}

void look_at_listener(const Installation& it, Findings& findings) {
  if (!it.config.tls_certificate.empty()) {
    add(findings, Finding::Level::good, "listener", "TLS");
  } else if (net::is_loopback(it.config.listen)) {
    add(findings, Finding::Level::good, "listener", "plain, on this machine only");
  } else {
    add(findings, Finding::Level::warning, "listener",
        "plain, behind a proxy that speaks TLS: make sure that only the proxy can reach it");
  }
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const bool is_enough = limit.rlim_cur >= 2 * it.config.connections_max + 256;
  add(findings, is_enough ? Finding::Level::good : Finding::Level::warning, "file descriptors",
      is_enough ? fmt::format("{} allowed", limit.rlim_cur)
                : fmt::format("{} allowed, but {} connections may need {}; raise the limit (ulimit "
                              "-n, or LimitNOFILE= in systemd) or lower server.connections_max",
                              limit.rlim_cur, it.config.connections_max,
                              2 * it.config.connections_max + 256));
}

void look_at_ledger(const Installation& it, Findings& findings) {
  const budget::LedgerHealth health = it.ledger.health();
  if (health.trouble) {
    add(findings, Finding::Level::problem, "ledger", *health.trouble);
  } else {
    add(findings, Finding::Level::good, "ledger",
        fmt::format("{} requests hold money; {} entries on their way to the database",
                    health.open_holds, health.records_not_folded));
  }
  if (!health.clock_is_trusted) {
    add(findings, Finding::Level::problem, "clock",
        "the wall clock jumped by more than an hour, so no new budget period is opened; check the "
        "time of this machine, and say that it is right: claviger budget confirm-clock");
  }
}

void look_at_runner(const Installation& it, Findings& findings) {
  const auto runner = local::find_runner(it.config.runner_path);
  if (!runner) {
    add(findings, Finding::Level::warning, "model runner", runner.error());
    return;
  }
  add(findings, Finding::Level::good, "model runner", runner->string());
  for (const local::PartReport& part : it.runner.sandbox().parts) {
    const bool is_good =
        part.state == local::PartState::in_force || part.state == local::PartState::not_needed;
    const auto level = is_good                                   ? Finding::Level::good
                       : part.state == local::PartState::missing ? Finding::Level::problem
                                                                 : Finding::Level::warning;
    add(findings, level, fmt::format("sandbox: {}", local::name_of(part.part)),
        fmt::format("{}: {}", local::name_of(part.state), part.detail));
  }
}

}  // namespace

Findings examine_installation(const Installation& installation) {
  Findings findings;
  look_at_home(installation, findings);
  look_at_disk(installation, findings);
  look_at_database(installation, findings);
  look_at_ledger(installation, findings);
  look_at_vault(installation, findings);
  look_at_listener(installation, findings);
  look_at_runner(installation, findings);
  return findings;
}

}  // namespace claviger::server
