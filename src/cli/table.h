#pragma once

/// Tables for people: columns as wide as their widest cell, two blanks between them.

#include <string>
#include <string_view>
#include <vector>

namespace claviger::cli {

enum class Align : std::uint8_t { left, right };

class Table {
 public:
  void add_column(std::string_view title, Align align = Align::left) {
    columns_.push_back({std::string(title), align});
  }
  /// As many cells as columns.
  void add_row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// With a line of titles; control characters are shown as '?', since names and provider's
  /// words come from elsewhere and a terminal obeys them.
  std::string text() const;

 private:
  struct Column {
    std::string title;
    Align align;
  };
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// `text` without control characters.
std::string printable(std::string_view text);

}  // namespace claviger::cli
