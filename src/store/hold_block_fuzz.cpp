/// A database that somebody else wrote to: whatever a block says, it is read inside its bytes,
/// and what is read packs to something that reads the same.

#include <cstdint>
#include <cstdlib>
#include <vector>

#include "store/hold_block.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace claviger;
  std::vector<budget::StoredHold> holds;
  store::HoldBlockReader reader({reinterpret_cast<const char*>(data), size});
  while (reader.next()) holds.push_back(reader.hold());
  if (reader.is_broken()) return 0;
  std::vector<const budget::StoredHold*> pointers;
  for (const budget::StoredHold& hold : holds) pointers.push_back(&hold);
  const std::string again = store::pack_holds(pointers);
  store::HoldBlockReader second(again);
  for (const budget::StoredHold& hold : holds) {
    if (!second.next() || second.hold().attempt != hold.attempt ||
        second.hold().cost != hold.cost || second.hold().budgets != hold.budgets) {
      std::abort();
    }
  }
  if (second.next() || second.is_broken()) std::abort();
  return 0;
}
