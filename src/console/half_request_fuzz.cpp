/// Whatever the bytes are: half of a request is shorter, and is JSON where the whole was.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "console/half_request.h"
#include "exchange/json_tree.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace claviger;
  const std::string whole(reinterpret_cast<const char*>(data), size);
  const auto half = console::with_texts_halved(whole);
  if (!half) return 0;
  if (half->size() >= whole.size()) std::abort();
  exchange::JsonTree tree;
  if (!tree.read(*half)) std::abort();
  for (const std::string_view path : {"/v1/chat/completions", "/v1beta/models/m:generateContent"}) {
    if (!tree.read(console::with_output_bound(path, *half, 16))) std::abort();
  }
  return 0;
}
