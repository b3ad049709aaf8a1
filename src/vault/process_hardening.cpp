#include "vault/process_hardening.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/secret.h"

namespace claviger::vault {
namespace {

HardeningMeasure in_force(std::string name, std::string detail) {
  return {std::move(name), HardeningState::in_force, std::move(detail)};
}

HardeningMeasure failed(std::string name, std::string detail) {
  return {std::move(name), HardeningState::failed, std::move(detail)};
}

HardeningMeasure core_limit() {
  const std::string name = "core file limit";
  struct rlimit limit{};
  if (getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 0 && limit.rlim_max == 0) {
    return in_force(name, "The kernel writes no core file of this process.");
  }
  return failed(name,
                "A crash may write keys into a core file. Start Claviger under \"ulimit -c 0\" "
                "or, in its unit, with LimitCORE=0.");
}

HardeningMeasure not_dumpable() {
  const std::string name = "not dumpable";
  if (prctl(PR_GET_DUMPABLE) == 0) {
    return in_force(name, "No core dump, and no debugger of the same user may attach.");
  }
  return failed(name,
                "Other programs of the same user can read this process's memory. A sandbox around "
                "Claviger seems to forbid prctl(PR_SET_DUMPABLE): allow it.");
}

HardeningMeasure locked_arena() {
  const std::string name = "locked memory for keys";
  const SecretArenaState arena = secret_arena_state();
  if (arena.locked) return in_force(name, "Keys are never written to swap.");
  return failed(name,
                fmt::format("Keys may be written to swap: the limit of locked memory is below "
                            "{} KiB. Raise \"ulimit -l\" or, in the unit, LimitMEMLOCK.",
                            arena.bytes_total / 1024));
}

}  // namespace

std::vector<HardeningMeasure> harden_process() {
  const struct rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0);
  // What counts is what the kernel says afterwards, not what the calls returned.
  return inspect_hardening();
}

std::vector<HardeningMeasure> inspect_hardening() {
  return {core_limit(), not_dumpable(), locked_arena()};
}

}  // namespace claviger::vault
