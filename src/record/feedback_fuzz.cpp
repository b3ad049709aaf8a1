/// Whatever a caller sends as feedback: it is refused with a sentence, or what was read says the
/// same when it is written and read again.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "exchange/json_writer.h"
#include "record/feedback.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace claviger;
  const auto read = record::read_feedback({reinterpret_cast<const char*>(data), size});
  if (!read) {
    if (read.error().empty()) std::abort();
    return 0;
  }
  if (read->why.size() > record::feedback_why_bytes_max) std::abort();
  std::string again = R"({"verdict":")" + std::string(to_string(read->opinion)) + R"(","why":)";
  exchange::append_json_string(again, read->why);
  again += '}';
  const auto second = record::read_feedback(again);
  if (!second || second->opinion != read->opinion || second->why != read->why) std::abort();
  return 0;
}
