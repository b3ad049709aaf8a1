#pragma once

/// What the readers of request bodies have in common, whatever the dialect: how a body is opened
/// and refused, what `null` means, fields that bound nothing, pictures and sound and documents. A
/// dialect's reader says what its own fields are. For .cpp files only: simdjson's header is large.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "api/strict_json.h"
#include "exchange/json_scratch.h"
#include "exchange/request.h"

namespace claviger::api {

/// Of a field's name, so much is kept.
inline constexpr std::size_t named_field_bytes_max = 64;
/// Far beyond any model's output, and small enough that 128 choices cannot overflow.
inline constexpr std::int64_t output_tokens_limit = 1'000'000'000;

class BodyReader {
 protected:
  using Kind = StrictJson::Kind;
  using Value = simdjson::ondemand::value;

  BodyReader(StrictJson& json, exchange::Request& request) : json_(json), request_(request) {}
  ~BodyReader() = default;

  /// The whole body: one object, and nothing behind it. `each(key, value)` reads a field; `such_as`
  /// is for the message.
  template <typename Each>
  bool whole_object(simdjson::ondemand::document& document, std::string_view such_as, Each&& each);

  /// Whether `value` is null, which then is consumed. False in `ok` on failure.
  bool is_null(Value& value, std::string_view key, bool& ok);
  bool expect(Value& value, std::string_view key, Kind wanted, std::string_view expected);
  /// A string into `text`; anything else is skipped and leaves it as it was.
  bool string_or_skip(Value& value, std::string_view key, std::string_view& text);

  /// A field that costs what nobody can tell, unless it is null or false.
  bool unbounded(Value& value, std::string_view key);
  bool model(Value& value, std::size_t bytes_max);
  bool stream(Value& value);
  bool end_user(Value& value, std::string_view key, std::size_t bytes_max, std::string& target);
  /// A tier by a word that the dialect does not give a meaning of its own.
  void service_tier_named(std::string_view word, std::string_view key);

  void name_unbounded(std::string_view name) { add_name(request_.unbounded_fields, name); }
  void name_unknown(std::string_view name) { add_name(request_.unknown_fields, name); }

  // What the bytes of do not bound. Of some a formula knows the most that they cost.

  void add_unseen() {
    request_.input_content = exchange::InputContent::by_model;
    ++request_.parts.unseen;
  }
  void add_image_at(std::string_view url, std::string_view detail);
  void add_image_in_base64(std::string_view data);
  /// `format` is that of the sound, such as `wav`; unseen where its length cannot be bounded.
  void add_sound_in_base64(std::string_view data, std::string_view format);
  void add_document(std::size_t bytes);
  /// A `data:` URL of a PDF; anything else is unseen.
  void add_document_at(std::string_view url);

  StrictJson& json_;
  exchange::Request& request_;

 private:
  static void add_name(std::vector<std::string>& names, std::string_view name);
};

/// Why the body's first stage of reading fails.
exchange::BadRequest first_stage_failure(simdjson::error_code error);

/// Reads `body` into `request`, which says what is known of it beforehand. `Reader` is made of a
/// StrictJson and a Request, and has `bool read(document&)`. `body` is padded (Dialect::read).
template <typename Reader>
std::expected<exchange::Request, exchange::BadRequest> read_body(exchange::Request request,
                                                                 std::string_view body) {
  request.body = body;
  request.places.after_open_brace = body.find('{') + 1;
  exchange::BadRequest failure;
  bool good = false;
  const auto error =
      exchange::with_json(body, exchange::JsonPadding::present,
                          [&](simdjson::ondemand::document& document, std::string_view text) {
                            StrictJson json(document, text);
                            good = Reader(json, request).read(document);
                            if (!good) failure = json.failure();
                          });
  if (error != simdjson::SUCCESS) return std::unexpected(first_stage_failure(error));
  if (!good) return std::unexpected(std::move(failure));
  return request;
}

template <typename Each>
bool BodyReader::whole_object(simdjson::ondemand::document& document, std::string_view such_as,
                              Each&& each) {
  simdjson::ondemand::json_type type{};
  if (document.type().get(type) != simdjson::SUCCESS) return json_.malformed();
  if (type != simdjson::ondemand::json_type::object) {
    return json_.fail(exchange::BadRequest::Code::wrong_type, "",
                      "the body must be one JSON object, such as " + std::string(such_as));
  }
  simdjson::ondemand::object object;
  if (document.get_object().get(object) != simdjson::SUCCESS) return json_.malformed();
  if (!json_.each_field(object, "", static_cast<Each&&>(each))) return false;
  return exchange::nothing_follows(document) || json_.malformed();
}

}  // namespace claviger::api
