#pragma once

/// The changes to one caller's body on its way to a provider of the same dialect. Every byte
/// that is not changed is passed on as it stood.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "exchange/request.h"

namespace claviger::provider {

/// Replacements at places that do not overlap, and fields that are added behind the opening
/// brace. A body always has a field (its model), so that an added one is always followed by a
/// comma.
class BodyEdit {
 public:
  explicit BodyEdit(const exchange::Request& request) : request_(request) {}

  void replace(exchange::Span place, std::string text) {
    replacements_[count_++] = {.place = place, .text = std::move(text)};
  }
  void add_field(std::string_view name, std::string_view value) {
    fmt::format_to(std::back_inserter(added_), "\"{}\":{},", name, value);
  }

  void write(std::string& out) {
    const std::string_view body = request_.body;
    const auto end = replacements_.begin() + static_cast<std::ptrdiff_t>(count_);
    std::sort(replacements_.begin(), end, [](const Replacement& a, const Replacement& b) {
      return a.place.begin < b.place.begin;
    });
    out.reserve(out.size() + body.size() + added_.size() + 64);
    std::size_t written = request_.places.after_open_brace;
    out += body.substr(0, written);
    out += added_;
    for (auto replacement = replacements_.begin(); replacement != end; ++replacement) {
      out += body.substr(written, replacement->place.begin - written);
      out += replacement->text;
      written = replacement->place.end;
    }
    out += body.substr(written);
  }

 private:
  struct Replacement {
    exchange::Span place;
    std::string text;
  };
  /// The model, both names of the output bound, the wish for usage, and the budget of thinking.
  static constexpr std::size_t replacements_max = 5;

  const exchange::Request& request_;
  std::array<Replacement, replacements_max> replacements_;
  std::size_t count_ = 0;
  std::string added_;
};

}  // namespace claviger::provider
