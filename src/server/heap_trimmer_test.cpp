#include "server/heap_trimmer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <vector>

namespace claviger::server {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

/// What the trimmer is told, and what it did.
struct Scene {
  HeapUse now;
  std::size_t gain = 0;
  int trims = 0;
} scene;

HeapTrimmer trimmer_of_scene() {
  return HeapTrimmer([] { return scene.now; },
                     [] {
                       ++scene.trims;
                       scene.now.resident -= scene.gain;
                     });
}

TEST(HeapTrimmer, LeavesAloneWhatIsInUseAndALittleMore) {
  scene = {.now = {.resident = 100 * kMiB, .in_use = 97 * kMiB}};
  HeapTrimmer trimmer = trimmer_of_scene();
  trimmer.look(Instant());
  EXPECT_EQ(scene.trims, 0);
}

TEST(HeapTrimmer, GivesBackWhatABurstLeft) {
  scene = {.now = {.resident = 100 * kMiB, .in_use = 10 * kMiB}, .gain = 89 * kMiB};
  HeapTrimmer trimmer = trimmer_of_scene();
  trimmer.look(Instant());
  EXPECT_EQ(scene.trims, 1);
  trimmer.look(Instant() + std::chrono::seconds(1));
  EXPECT_EQ(scene.trims, 1) << "nothing is left to give back";
  scene.now.resident = 100 * kMiB;
  trimmer.look(Instant() + std::chrono::seconds(2));
  EXPECT_EQ(scene.trims, 2) << "the next burst";
}

TEST(HeapTrimmer, DoesNotTryAgainAtOnceWhereNothingIsGained) {
  scene = {.now = {.resident = 100 * kMiB, .in_use = 10 * kMiB}};
  HeapTrimmer trimmer = trimmer_of_scene();
  for (int second = 0; second < 60; ++second)
    trimmer.look(Instant() + std::chrono::seconds(second));
  EXPECT_EQ(scene.trims, 1);
  trimmer.look(Instant() + std::chrono::seconds(60));
  EXPECT_EQ(scene.trims, 2);
}

// Sanitizers bring an allocator of their own.
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
TEST(HeapTrimmer, MeasuresAndTrimsARealHeap) {
  std::vector<void*> small;
  for (int i = 0; i < 20'000; ++i) {
    small.push_back(std::malloc(4000));
    std::memset(small.back(), i, 4000);
  }
  void* const last = small.back();
  small.pop_back();
  for (void* const block : small) std::free(block);
  const HeapUse before = heap_use();
  EXPECT_GT(before.resident, before.in_use + 60 * kMiB) << "malloc keeps what lies in between";
  HeapTrimmer().look(Instant());
  EXPECT_LT(heap_use().resident, before.resident - 60 * kMiB);
  std::free(last);
}
#endif

}  // namespace
}  // namespace claviger::server
