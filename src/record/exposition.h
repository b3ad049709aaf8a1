#pragma once

/// Writes the lines of the Prometheus text format.

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace claviger::record {

using Label = std::pair<std::string_view, std::string_view>;

/// A label's value as the format wants it: backslash, quote and line feed escaped; what is no
/// UTF-8 replaced by '?', because one bad byte makes Prometheus reject the whole page.
std::string escape_label(std::string_view value);

/// `units` of 10^-`digits` as an exact decimal: (1500, 6) is "0.0015". `units` >= 0.
std::string exact_decimal(unsigned __int128 units, int digits);

class Exposition {
 public:
  /// Opens a family: its `# HELP` and `# TYPE` lines. `type`: counter, gauge or histogram.
  void family(std::string_view name, std::string_view type, std::string_view help);
  /// One line of the family; `suffix` is "", "_bucket", "_sum" or "_count".
  void sample(std::string_view suffix, std::initializer_list<Label> labels, std::string_view value);
  void sample(std::string_view suffix, std::initializer_list<Label> labels, std::int64_t value);

  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  std::string name_;
};

}  // namespace claviger::record
