#include "console/json_out.h"

#include <fmt/format.h>

#include "base/secret.h"
#include "exchange/json_writer.h"
#include "record/record_json.h"

namespace claviger::console {

JsonObject::~JsonObject() {
  if (holds_secret_) wipe(out_.data(), out_.size());
}

JsonObject& JsonObject::secret(std::string_view name, std::string_view value) {
  // Room for all that follows, so that no growth leaves a copy behind.
  out_.reserve(out_.size() + value.size() + 4096);
  holds_secret_ = true;
  raw(name, "");
  exchange::append_json_string(out_, value);
  return *this;
}

JsonObject& JsonObject::raw(std::string_view name, std::string_view json) {
  out_ += out_.empty() ? '{' : ',';
  exchange::append_json_string(out_, name);
  out_ += ':';
  out_ += json;
  return *this;
}

JsonObject& JsonObject::text(std::string_view name, std::string_view value) {
  return raw(name, exchange::json_string(value));
}

JsonObject& JsonObject::text_or_null(std::string_view name, std::string_view value) {
  return value.empty() ? null(name) : text(name, value);
}

JsonObject& JsonObject::usd(std::string_view name, NanoUsd value) {
  return text(name, to_decimal(value));
}

JsonObject& JsonObject::usd(std::string_view name, std::optional<NanoUsd> value) {
  return value ? usd(name, *value) : null(name);
}

JsonObject& JsonObject::rate(std::string_view name, PicoUsdPerUnit value) {
  return text(name, per_million(value));
}

JsonObject& JsonObject::time(std::string_view name, WallTime value) {
  return text(name, record::to_rfc3339(value));
}

JsonObject& JsonObject::time(std::string_view name, std::optional<WallTime> value) {
  return value ? time(name, *value) : null(name);
}

JsonObject& JsonObject::texts(std::string_view name, const std::vector<std::string>& values) {
  JsonArray array;
  for (const std::string& value : values) array.add(exchange::json_string(value));
  return raw(name, array.finish());
}

std::string per_million(PicoUsdPerUnit rate) {
  // A million units at `picos` each are `picos` micro-dollars.
  constexpr std::int64_t kPerUsd = 1'000'000;
  std::string fraction = fmt::format("{:06}", rate.picos % kPerUsd);
  while (fraction.size() > 2 && fraction.ends_with('0')) fraction.pop_back();
  return fmt::format("{}.{}", rate.picos / kPerUsd, fraction);
}

}  // namespace claviger::console
