#include "exchange/json_builder.h"

#include <fmt/format.h>

#include <iterator>

#include "exchange/json_writer.h"

namespace claviger::exchange {

JsonBuilder& JsonBuilder::string(std::string_view text) {
  separate();
  append_json_string(out_, text);
  return *this;
}

JsonBuilder& JsonBuilder::integer(std::int64_t number) {
  separate();
  fmt::format_to(std::back_inserter(out_), "{}", number);
  return *this;
}

}  // namespace claviger::exchange
