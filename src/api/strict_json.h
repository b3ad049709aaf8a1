#pragma once

/// Strict reading of a caller's body: everything in it is looked at once, so that what we
/// judged is what the provider will read. A lax reader could be shown one `max_tokens` and
/// the provider another, and the hold would be a lie.
///
/// Strict means: RFC 8259 to the letter, valid UTF-8, no key twice in one object (compared
/// unescaped), bounded depth. For .cpp files only: simdjson's header is large.

#include <simdjson.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exchange/request.h"

namespace claviger::api {

/// How deep a body may nest; JSON schemas of tools rarely pass 30.
inline constexpr int json_depth_max = 128;

/// One reading of one document. Every method returns false after a failure, which `failure`
/// then describes; reading must stop there.
///
/// Why not exceptions or `expected` all the way: the reader is a recursive descent with one
/// exit, and the good path must allocate nothing.
class StrictJson {
 public:
  /// `body` is the text as `document` was parsed from; both outlive this.
  StrictJson(simdjson::ondemand::document& document, std::string_view body);
  ~StrictJson();
  StrictJson(const StrictJson&) = delete;
  StrictJson& operator=(const StrictJson&) = delete;

  const exchange::BadRequest& failure() const { return failure_; }
  bool fail(exchange::BadRequest::Code code, std::string_view field, std::string message);
  /// The body is no JSON; `field` says where we were, if anywhere.
  bool malformed(std::string_view field = {});
  bool wrong_type(std::string_view field, std::string_view expected);

  enum class Kind : std::uint8_t { object, array, string, number, boolean, null };
  bool kind_of(simdjson::ondemand::value& value, Kind& kind, std::string_view field);

  /// Calls `each(key, value)` for every field; `each` must consume the value and return false
  /// to stop. `name` is for messages.
  template <typename Each>
  bool each_field(simdjson::ondemand::value& value, std::string_view name, Each&& each);
  template <typename Each>
  bool each_field(simdjson::ondemand::object& object, std::string_view name, Each&& each);
  template <typename Each>
  bool each_element(simdjson::ondemand::value& value, std::string_view name, Each&& each);

  /// Consumes a value of any kind, checking all of it.
  bool skip(simdjson::ondemand::value& value, std::string_view field);
  /// Consumes a string. `text` is unescaped and lives as long as the document.
  bool string(simdjson::ondemand::value& value, std::string_view field, std::string_view& text);
  /// Consumes an integer of 64 bits: no point, no exponent.
  bool integer(simdjson::ondemand::value& value, std::string_view field, std::int64_t& number);
  bool boolean(simdjson::ondemand::value& value, std::string_view field, bool& truth);

  /// Where a scalar stands in the body, before it is consumed.
  exchange::Span span_of_scalar(simdjson::ondemand::value& value);
  /// Behind the last byte that was consumed; whitespace does not count.
  std::size_t consumed_end();

 private:
  bool skip_scalar(simdjson::ondemand::value& value, Kind kind, std::string_view field);
  bool add_key(std::size_t first, std::string_view key, std::string_view object);
  bool close_keys(std::size_t first, std::string_view object);
  bool repeated(std::string_view key, std::string_view object);

  simdjson::ondemand::document& document_;
  std::string_view body_;
  exchange::BadRequest failure_;
  /// The keys of every open object, innermost last.
  std::vector<std::string_view>& keys_;
  int depth_ = 0;
};

template <typename Each>
bool StrictJson::each_field(simdjson::ondemand::object& object, std::string_view name,
                            Each&& each) {
  if (++depth_ > json_depth_max) return malformed(name);
  const std::size_t first = keys_.size();
  for (auto item : object) {
    simdjson::ondemand::field field;
    std::string_view key;
    if (std::move(item).get(field) != simdjson::SUCCESS) return malformed(name);
    if (field.unescaped_key().get(key) != simdjson::SUCCESS) return malformed(name);
    if (!add_key(first, key, name)) return false;
    if (!each(key, field.value())) return false;
  }
  --depth_;
  return close_keys(first, name);
}

template <typename Each>
bool StrictJson::each_field(simdjson::ondemand::value& value, std::string_view name, Each&& each) {
  simdjson::ondemand::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS) return wrong_type(name, "an object");
  return each_field(object, name, static_cast<Each&&>(each));
}

template <typename Each>
bool StrictJson::each_element(simdjson::ondemand::value& value, std::string_view name,
                              Each&& each) {
  if (++depth_ > json_depth_max) return malformed(name);
  simdjson::ondemand::array array;
  if (value.get_array().get(array) != simdjson::SUCCESS) return wrong_type(name, "an array");
  for (auto item : array) {
    simdjson::ondemand::value element;
    if (std::move(item).get(element) != simdjson::SUCCESS) return malformed(name);
    if (!each(element)) return false;
  }
  --depth_;
  return true;
}

}  // namespace claviger::api
