#pragma once

/// Writing the control API's answers: ids as text, money as exact decimals, times as RFC 3339.

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/money.h"
#include "base/time.h"

namespace claviger::console {

/// One object, its members in the order in which they are written.
class JsonObject {
 public:
  JsonObject() = default;
  JsonObject(const JsonObject&) = default;
  JsonObject& operator=(const JsonObject&) = delete;
  ~JsonObject();

  /// A key that is shown once. No copy of it is left behind but the one that finish() returns.
  JsonObject& secret(std::string_view name, std::string_view value);
  JsonObject& text(std::string_view name, std::string_view value);
  JsonObject& text_or_null(std::string_view name, std::string_view value);
  template <std::integral Number>
    requires(!std::same_as<Number, bool>)
  JsonObject& number(std::string_view name, Number value) {
    return raw(name, std::to_string(value));
  }
  JsonObject& truth(std::string_view name, std::same_as<bool> auto value) {
    return raw(name, value ? "true" : "false");
  }
  /// An exact decimal in a string, e.g. `"10.00"`: JSON numbers pass through floats in too many
  /// readers.
  JsonObject& usd(std::string_view name, NanoUsd value);
  JsonObject& usd(std::string_view name, std::optional<NanoUsd> value);
  /// `name` ends in `_usd_per_million`.
  JsonObject& rate(std::string_view name, PicoUsdPerUnit value);
  JsonObject& time(std::string_view name, WallTime value);
  JsonObject& time(std::string_view name, std::optional<WallTime> value);
  /// Null where it is none.
  template <typename Kind>
  JsonObject& id(std::string_view name, RowId<Kind> value) {
    return text_or_null(name, value.is_none() ? std::string() : value.text());
  }
  JsonObject& texts(std::string_view name, const std::vector<std::string>& values);
  JsonObject& null(std::string_view name) { return raw(name, "null"); }
  /// `json` is JSON itself.
  JsonObject& raw(std::string_view name, std::string_view json);
  std::string finish() { return out_.empty() ? "{}" : out_ + "}"; }

 private:
  std::string out_;
  bool holds_secret_ = false;
};

class JsonArray {
 public:
  /// `json` is JSON itself.
  void add(std::string_view json) {
    out_ += out_.empty() ? "[" : ",";
    out_ += json;
  }
  std::string finish() const { return out_.empty() ? "[]" : out_ + "]"; }

 private:
  std::string out_;
};

/// `{"data": […]}`
template <typename Items, typename ToJson>
std::string list_of(const Items& items, ToJson to_json) {
  JsonArray data;
  for (const auto& item : items) data.add(to_json(item));
  return JsonObject().raw("data", data.finish()).finish();
}

/// "0.15" for 150'000 pico-dollars a unit.
std::string per_million(PicoUsdPerUnit rate);

}  // namespace claviger::console
