#include "api/body_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "exchange/json_writer.h"

namespace claviger::api {
namespace {

using exchange::BadRequest;
using exchange::ImageDetail;
using exchange::InputContent;

ImageDetail detail_of(std::string_view name) {
  using enum ImageDetail;
  if (name == "low") return low;
  if (name == "high") return high;
  if (name == "original") return original;
  return automatic;
}

}  // namespace

bool BodyReader::is_null(Value& value, std::string_view key, bool& ok) {
  Kind kind{};
  ok = json_.kind_of(value, kind, key);
  if (!ok || kind != Kind::null) return false;
  ok = json_.skip(value, key);
  return true;
}

bool BodyReader::expect(Value& value, std::string_view key, Kind wanted,
                        std::string_view expected) {
  Kind kind{};
  if (!json_.kind_of(value, kind, key)) return false;
  return kind == wanted || json_.wrong_type(key, expected);
}

bool BodyReader::string_or_skip(Value& value, std::string_view key, std::string_view& text) {
  Kind kind{};
  if (!json_.kind_of(value, kind, key)) return false;
  return kind == Kind::string ? json_.string(value, key, text) : json_.skip(value, key);
}

bool BodyReader::unbounded(Value& value, std::string_view key) {
  Kind kind{};
  if (!json_.kind_of(value, kind, key)) return false;
  if (kind == Kind::boolean) {
    bool wanted = false;
    if (!json_.boolean(value, key, wanted)) return false;
    if (wanted) name_unbounded(key);
    return true;
  }
  if (kind != Kind::null) name_unbounded(key);
  return json_.skip(value, key);
}

bool BodyReader::model(Value& value, std::size_t bytes_max) {
  std::string_view name;
  request_.places.model_value = json_.span_of_scalar(value);
  if (!json_.string(value, "model", name)) return false;
  if (name.empty() || name.size() > bytes_max) {
    return json_.fail(BadRequest::Code::out_of_range, "model",
                      fmt::format("`model` must have between 1 and {} bytes; name one as "
                                  "`provider/model`, or an alias",
                                  bytes_max));
  }
  request_.model = name;
  return true;
}

bool BodyReader::stream(Value& value) {
  bool ok = true;
  if (is_null(value, "stream", ok) || !ok) return ok;
  bool wanted = false;
  if (!json_.boolean(value, "stream", wanted)) return false;
  request_.delivery = wanted ? exchange::Delivery::streamed : exchange::Delivery::whole;
  return true;
}

bool BodyReader::end_user(Value& value, std::string_view key, std::size_t bytes_max,
                          std::string& target) {
  bool ok = true;
  if (is_null(value, key, ok) || !ok) return ok;
  std::string_view name;
  if (!json_.string(value, key, name)) return false;
  if (name.size() > bytes_max) {
    return json_.fail(
        BadRequest::Code::out_of_range, key,
        fmt::format("`{}` is longer than {} bytes; send a hash of it", key, bytes_max));
  }
  target = name;
  return true;
}

void BodyReader::service_tier_named(std::string_view word, std::string_view key) {
  const auto tier = exchange::service_tier_of(word);
  if (!tier || *tier == exchange::ServiceTier::batch) return name_unbounded(key);
  request_.extras.service_tier = tier;
  request_.extras.priced_fields.push_back({.field = std::string(key), .needs = *tier});
}

void BodyReader::add_image_at(std::string_view url, std::string_view detail) {
  request_.input_content = InputContent::by_model;
  std::int64_t attached = 0;
  request_.parts.add_image(exchange::image_at_url(url, detail_of(detail), attached));
  request_.parts.attached_bytes += attached;
}

void BodyReader::add_image_in_base64(std::string_view data) {
  request_.input_content = InputContent::by_model;
  request_.parts.add_image(exchange::image_in_base64(data, ImageDetail::automatic));
  request_.parts.attached_bytes += static_cast<std::int64_t>(data.size());
}

void BodyReader::add_sound_in_base64(std::string_view data, std::string_view format) {
  const std::int64_t lasts_ms = exchange::audio_ms_max_in_base64(data, format);
  if (lasts_ms < 0) return add_unseen();
  request_.input_content = InputContent::by_model;
  ++request_.parts.audio_count;
  request_.parts.audio_ms_max += lasts_ms;
  request_.parts.attached_bytes += static_cast<std::int64_t>(data.size());
}

void BodyReader::add_document(std::size_t bytes) {
  request_.input_content = InputContent::by_model;
  ++request_.parts.documents;
  request_.parts.attached_bytes += static_cast<std::int64_t>(bytes);
}

void BodyReader::add_document_at(std::string_view url) {
  constexpr std::string_view pdf = "data:application/pdf;base64,";
  if (!url.starts_with(pdf)) return add_unseen();
  add_document(url.size() - pdf.size());
}

void BodyReader::add_name(std::vector<std::string>& names, std::string_view name) {
  if (names.size() == exchange::named_fields_max) return;
  const std::string shown(exchange::clipped(name, named_field_bytes_max));
  if (std::find(names.begin(), names.end(), shown) == names.end()) names.push_back(shown);
}

BadRequest first_stage_failure(simdjson::error_code error) {
  std::string message = "the body is not valid JSON; send one JSON object in UTF-8";
  if (error == simdjson::EMPTY) message = "the body is empty; send one JSON object";
  if (error == simdjson::UTF8_ERROR) message = "the body is not valid UTF-8; encode it as UTF-8";
  return {.code = BadRequest::Code::malformed_json, .field = {}, .message = std::move(message)};
}

}  // namespace claviger::api
