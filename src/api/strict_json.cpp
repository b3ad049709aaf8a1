#include "api/strict_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "exchange/json_writer.h"

namespace claviger::api {
namespace {

using exchange::BadRequest;
using simdjson::SUCCESS;

/// Objects of up to this many keys are searched linearly; larger ones are sorted once, so
/// that a body of a million keys costs no more than n log n.
constexpr std::size_t linear_keys_max = 16;
/// A caller's key is shown in a message up to here.
constexpr std::size_t shown_key_bytes_max = 64;

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view trimmed(std::string_view token) {
  while (!token.empty() && is_space(token.back())) token.remove_suffix(1);
  return token;
}

bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// Whether every escape in the inside of a string is one that RFC 8259 knows.
bool escapes_are_valid(std::string_view inside) {
  while (true) {
    const void* const found = std::memchr(inside.data(), '\\', inside.size());
    if (found == nullptr) return true;
    inside.remove_prefix(static_cast<std::size_t>(static_cast<const char*>(found) - inside.data()) +
                         1);
    if (inside.empty()) return false;
    std::size_t used = 1;
    if (inside.front() == 'u') {
      used = 5;
      if (inside.size() < used || !std::all_of(inside.begin() + 1, inside.begin() + 5, is_hex)) {
        return false;
      }
    } else if (std::strchr("\"\\/bfnrt", inside.front()) == nullptr || inside.front() == '\0') {
      return false;
    }
    inside.remove_prefix(used);
    if (inside.empty()) return true;
  }
}

/// RFC 8259, section 6.
bool is_number(std::string_view token) {
  std::size_t i = 0;
  const auto digits = [&] {
    const std::size_t start = i;
    while (i < token.size() && is_digit(token[i])) ++i;
    return i - start;
  };
  const auto take = [&](char c) {
    const bool is_there = i < token.size() && token[i] == c;
    i += is_there ? 1 : 0;
    return is_there;
  };
  take('-');
  const bool leading_zero = i < token.size() && token[i] == '0';
  const std::size_t whole = digits();
  if (whole == 0 || (leading_zero && whole > 1)) return false;
  if (take('.') && digits() == 0) return false;
  if (take('e') || take('E')) {
    if (!take('+')) take('-');
    if (digits() == 0) return false;
  }
  return i == token.size();
}

bool is_integer(std::string_view token) {
  return token.find_first_of(".eE") == std::string_view::npos;
}

std::vector<std::string_view>& keys_of_this_thread() {
  thread_local std::vector<std::string_view> keys;
  return keys;
}

}  // namespace

StrictJson::StrictJson(simdjson::ondemand::document& document, std::string_view body)
    : document_(document), body_(body), keys_(keys_of_this_thread()) {
  keys_.clear();
}

StrictJson::~StrictJson() {
  constexpr std::size_t keys_kept_max = 4096;
  if (keys_.capacity() > keys_kept_max) std::vector<std::string_view>().swap(keys_);
}

bool StrictJson::fail(BadRequest::Code code, std::string_view field, std::string message) {
  failure_ = {.code = code, .field = std::string(field), .message = std::move(message)};
  return false;
}

bool StrictJson::malformed(std::string_view field) {
  const char* at = nullptr;
  const bool located = document_.current_location().get(at) == SUCCESS && at >= body_.data() &&
                       at <= body_.data() + body_.size();
  std::string message = "the body is not valid JSON";
  if (depth_ > json_depth_max) {
    message = fmt::format("the body nests deeper than {} levels; flatten it", json_depth_max);
  } else if (located) {
    message += fmt::format(" near byte {}; send one JSON object in UTF-8", at - body_.data());
  } else {
    message += "; send one JSON object in UTF-8";
  }
  return fail(BadRequest::Code::malformed_json, field, std::move(message));
}

bool StrictJson::wrong_type(std::string_view field, std::string_view expected) {
  return fail(BadRequest::Code::wrong_type, field, fmt::format("`{}` must be {}", field, expected));
}

bool StrictJson::repeated(std::string_view key, std::string_view object) {
  const std::string shown(exchange::clipped(key, shown_key_bytes_max));
  return fail(
      BadRequest::Code::repeated_key, shown,
      fmt::format("the key {} appears twice in {}; send it once", exchange::json_string(shown),
                  object.empty() ? std::string("the body") : fmt::format("`{}`", object)));
}

bool StrictJson::add_key(std::size_t first, std::string_view key, std::string_view object) {
  if (keys_.size() - first < linear_keys_max) {
    for (std::size_t i = first; i < keys_.size(); ++i) {
      if (keys_[i] == key) return repeated(key, object);
    }
  }
  keys_.push_back(key);
  return true;
}

bool StrictJson::close_keys(std::size_t first, std::string_view object) {
  if (keys_.size() - first > linear_keys_max) {
    const auto begin = keys_.begin() + static_cast<std::ptrdiff_t>(first);
    std::sort(begin, keys_.end());
    const auto twice = std::adjacent_find(begin, keys_.end());
    if (twice != keys_.end()) return repeated(*twice, object);
  }
  keys_.resize(first);
  return true;
}

bool StrictJson::kind_of(simdjson::ondemand::value& value, Kind& kind, std::string_view field) {
  simdjson::ondemand::json_type type{};
  if (value.type().get(type) != SUCCESS) return malformed(field);
  switch (type) {
    case simdjson::ondemand::json_type::object:
      kind = Kind::object;
      return true;
    case simdjson::ondemand::json_type::array:
      kind = Kind::array;
      return true;
    case simdjson::ondemand::json_type::string:
      kind = Kind::string;
      return true;
    case simdjson::ondemand::json_type::number:
      kind = Kind::number;
      return true;
    case simdjson::ondemand::json_type::boolean:
      kind = Kind::boolean;
      return true;
    case simdjson::ondemand::json_type::null:
      kind = Kind::null;
      return true;
  }
  return malformed(field);
}

bool StrictJson::skip(simdjson::ondemand::value& value, std::string_view field) {
  Kind kind{};
  if (!kind_of(value, kind, field)) return false;
  if (kind == Kind::object) {
    return each_field(value, field, [&](std::string_view, simdjson::ondemand::value inner) {
      return skip(inner, field);
    });
  }
  if (kind == Kind::array) {
    return each_element(value, field,
                        [&](simdjson::ondemand::value& inner) { return skip(inner, field); });
  }
  return skip_scalar(value, kind, field);
}

bool StrictJson::skip_scalar(simdjson::ondemand::value& value, Kind kind, std::string_view field) {
  const std::string_view token = trimmed(value.raw_json_token());
  switch (kind) {
    case Kind::string: {
      simdjson::ondemand::raw_json_string raw;
      if (token.size() < 2 || token.back() != '"') return malformed(field);
      if (!escapes_are_valid(token.substr(1, token.size() - 2))) return malformed(field);
      return value.get_raw_json_string().get(raw) == SUCCESS || malformed(field);
    }
    case Kind::number: {
      double ignored = 0;
      if (!is_number(token)) return malformed(field);
      if (value.get_double().get(ignored) == SUCCESS) return true;
      return fail(BadRequest::Code::out_of_range, field,
                  fmt::format("a number in `{}` is too large to be kept", field));
    }
    case Kind::boolean: {
      bool ignored = false;
      if (token != "true" && token != "false") return malformed(field);
      return value.get_bool().get(ignored) == SUCCESS || malformed(field);
    }
    case Kind::null: {
      bool ignored = false;
      if (token != "null") return malformed(field);
      return simdjson::simdjson_result<bool>(value.is_null()).get(ignored) == SUCCESS ||
             malformed(field);
    }
    default:
      return malformed(field);
  }
}

bool StrictJson::string(simdjson::ondemand::value& value, std::string_view field,
                        std::string_view& text) {
  Kind kind{};
  if (!kind_of(value, kind, field)) return false;
  if (kind != Kind::string) return wrong_type(field, "a string");
  const std::string_view token = trimmed(value.raw_json_token());
  if (token.size() < 2 || token.back() != '"') return malformed(field);
  const std::string_view inside = token.substr(1, token.size() - 2);
  if (inside.find('\\') == std::string_view::npos) {
    text = inside;
    simdjson::ondemand::raw_json_string raw;
    return value.get_raw_json_string().get(raw) == SUCCESS || malformed(field);
  }
  if (!escapes_are_valid(inside)) return malformed(field);
  return value.get_string().get(text) == SUCCESS || malformed(field);
}

bool StrictJson::integer(simdjson::ondemand::value& value, std::string_view field,
                         std::int64_t& number) {
  Kind kind{};
  if (!kind_of(value, kind, field)) return false;
  if (kind != Kind::number) return wrong_type(field, "a whole number");
  const std::string_view token = trimmed(value.raw_json_token());
  if (!is_number(token)) return malformed(field);
  if (!is_integer(token)) return wrong_type(field, "a whole number, written without a point");
  if (value.get_int64().get(number) == SUCCESS) return true;
  return fail(BadRequest::Code::out_of_range, field,
              fmt::format("`{}` does not fit in 64 bits; send a smaller number", field));
}

bool StrictJson::boolean(simdjson::ondemand::value& value, std::string_view field, bool& truth) {
  Kind kind{};
  if (!kind_of(value, kind, field)) return false;
  if (kind != Kind::boolean) return wrong_type(field, "true or false");
  const std::string_view token = trimmed(value.raw_json_token());
  truth = token == "true";
  return skip_scalar(value, kind, field);
}

exchange::Span StrictJson::span_of_scalar(simdjson::ondemand::value& value) {
  const std::string_view token = trimmed(value.raw_json_token());
  const auto begin = static_cast<std::size_t>(token.data() - body_.data());
  return {.begin = begin, .end = begin + token.size()};
}

std::size_t StrictJson::consumed_end() {
  const char* at = nullptr;
  if (document_.current_location().get(at) != SUCCESS) at = body_.data() + body_.size();
  auto end = static_cast<std::size_t>(at - body_.data());
  while (end > 0 && is_space(body_[end - 1])) --end;
  return end;
}

}  // namespace claviger::api
