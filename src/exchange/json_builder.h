#pragma once

/// Writes JSON front to back into a string, with the commas in their places. For what
/// translation writes; the pass-through path edits bytes instead (exchange/json_edit.h).

#include <cstdint>
#include <string>
#include <string_view>

namespace claviger::exchange {

class JsonBuilder {
 public:
  explicit JsonBuilder(std::string& out) : out_(out) {}

  JsonBuilder& open_object() { return open('{'); }
  JsonBuilder& close_object() { return close('}'); }
  JsonBuilder& open_array() { return open('['); }
  JsonBuilder& close_array() { return close(']'); }
  /// Inside an object: what follows is the value of `key`, which needs no escapes.
  JsonBuilder& key(std::string_view key) {
    separate();
    out_.append(1, '"').append(key).append("\":");
    is_first_ = true;
    return *this;
  }
  /// The same for a key that somebody else chose.
  JsonBuilder& string_key(std::string_view key) {
    string(key);
    out_ += ':';
    is_first_ = true;
    return *this;
  }
  JsonBuilder& string(std::string_view text);
  /// `json` as it stands.
  JsonBuilder& raw(std::string_view json) {
    separate();
    out_ += json;
    return *this;
  }
  JsonBuilder& integer(std::int64_t number);

  JsonBuilder& field(std::string_view name, std::string_view text) {
    return key(name).string(text);
  }
  JsonBuilder& raw_field(std::string_view name, std::string_view json) {
    return key(name).raw(json);
  }
  JsonBuilder& integer_field(std::string_view name, std::int64_t number) {
    return key(name).integer(number);
  }
  /// Only where there is something to say.
  JsonBuilder& field_if(std::string_view name, std::string_view text) {
    return text.empty() ? *this : field(name, text);
  }
  JsonBuilder& raw_field_if(std::string_view name, std::string_view json) {
    return json.empty() ? *this : raw_field(name, json);
  }

 private:
  JsonBuilder& open(char bracket) {
    separate();
    out_ += bracket;
    is_first_ = true;
    return *this;
  }
  JsonBuilder& close(char bracket) {
    out_ += bracket;
    is_first_ = false;
    return *this;
  }
  void separate() {
    if (!is_first_) out_ += ',';
    is_first_ = false;
  }

  std::string& out_;
  bool is_first_ = true;
};

}  // namespace claviger::exchange
