/// A database that somebody else wrote to: whatever a block says, it is read inside its bytes,
/// and what is read packs to something that reads the same.

#include <cstdint>
#include <cstdlib>
#include <vector>

#include "store/record_block.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace claviger;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::vector<record::Record> records;
  store::RecordBlockReader reader(bytes);
  while (reader.next()) records.push_back(reader.record());
  if (reader.is_broken()) return 0;
  std::vector<const record::Record*> pointers;
  for (const record::Record& record : records) pointers.push_back(&record);
  const std::string again = store::pack_records(pointers);
  store::RecordBlockReader second(again);
  for (const record::Record& record : records) {
    if (!second.next() || second.record().id != record.id || second.record().cost != record.cost) {
      std::abort();
    }
  }
  if (second.next() || second.is_broken()) std::abort();
  return 0;
}
