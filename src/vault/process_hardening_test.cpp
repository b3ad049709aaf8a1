#include "vault/process_hardening.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace claviger::vault {
namespace {

HardeningState state_of(const std::vector<HardeningMeasure>& measures, std::string_view name) {
  for (const HardeningMeasure& measure : measures) {
    if (measure.name == name) return measure.state;
  }
  return HardeningState::failed;
}

/// Exit status of `body` in a child, so that the test itself stays as it is.
template <typename Body>
int in_a_child(Body body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

TEST(ProcessHardening, AfterwardsTheKernelSaysThatItHolds) {
  EXPECT_EQ(in_a_child([] {
              const auto measures = harden_process();
              struct rlimit limit{};
              getrlimit(RLIMIT_CORE, &limit);
              const bool holds = prctl(PR_GET_DUMPABLE) == 0 && limit.rlim_max == 0;
              const bool said = state_of(measures, "core file limit") == HardeningState::in_force &&
                                state_of(measures, "not dumpable") == HardeningState::in_force;
              return holds && said ? 0 : 1;
            }),
            0);
}

TEST(ProcessHardening, WhatIsNotInForceIsSaidWithAWayToMendIt) {
  EXPECT_EQ(in_a_child([] {
              prctl(PR_SET_DUMPABLE, 1);
              for (const HardeningMeasure& measure : inspect_hardening()) {
                if (measure.name == "not dumpable") {
                  return measure.state == HardeningState::failed && !measure.detail.empty() ? 0 : 1;
                }
              }
              return 2;
            }),
            0);
}

}  // namespace
}  // namespace claviger::vault
