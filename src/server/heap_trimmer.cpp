#include "server/heap_trimmer.h"

#include <malloc.h>
#include <unistd.h>

#include <fstream>

namespace claviger::server {

HeapUse heap_use() {
  // Pages: all, resident, resident and from files (proc(5)).
  std::size_t total = 0;
  std::size_t resident = 0;
  std::size_t from_files = 0;
  std::ifstream statm("/proc/self/statm");
  if (!(statm >> total >> resident >> from_files)) return {};
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const auto heap = mallinfo2();
  return {.resident = (resident - from_files) * page, .in_use = heap.uordblks + heap.hblkhd};
}

void HeapTrimmer::trim_heap() {
  malloc_trim(kIdleBytesMax / 4);
}

void HeapTrimmer::look(Instant now) {
  if (now < not_before_) return;
  const auto idle = [](HeapUse use) {
    return use.resident > use.in_use ? use.resident - use.in_use : 0;
  };
  const std::size_t before = idle(measure_());
  if (before <= kIdleBytesMax) return;
  trim_();
  const std::size_t after = idle(measure_());
  if (after + kIdleBytesMax / 4 > before) not_before_ = now + kPauseAfterNoGain;
}

}  // namespace claviger::server
