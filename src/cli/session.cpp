#include "cli/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>

#include "base/money.h"

namespace claviger::cli {
namespace {

std::string plain_text(const json::value& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_bool()) return value.get_bool() ? "yes" : "no";
  if (!value.is_array()) return json::serialize(value);
  std::string joined;
  for (const json::value& item : value.get_array()) {
    joined += joined.empty() ? "" : ", ";
    joined += plain_text(item);
  }
  return joined.empty() ? "-" : joined;
}

/// `2026-11-23T01:02:03.456Z` to `2026-11-23 01:02 UTC`.
std::string minute_text(const std::string& time) {
  if (time.size() < 16) return time;
  return fmt::format("{} {} UTC", time.substr(0, 10), time.substr(11, 5));
}

/// `a/b` is the member b of the member a.
const json::value* member(const json::value& object, std::string_view name) {
  const auto* const members = object.if_object();
  if (members == nullptr) return nullptr;
  const std::string_view first = name.substr(0, name.find('/'));
  const json::value* const found = members->if_contains({first.data(), first.size()});
  if (found == nullptr || first.size() == name.size()) return found;
  return member(*found, name.substr(first.size() + 1));
}

/// `code`, `message` and `remedy` as one sentence.
std::string sentence_of(const ServerAnswer& answer) {
  json::error_code error;
  const json::value value = json::parse(answer.body, error);
  const json::value* const inner = error ? nullptr : member(value, "error");
  if (inner == nullptr) {
    return fmt::format("the server answered {} without saying why; its log may", answer.status);
  }
  const std::string message = text_of(*inner, "message");
  const std::string remedy = text_of(*inner, "remedy");
  return remedy.empty() ? message : fmt::format("{}. To do: {}", message, remedy);
}

void say_table(const json::array& rows, const std::vector<Column>& columns) {
  Table table;
  for (const Column& column : columns) {
    table.add_column(column.title, column.form == Column::Form::usd ? Align::right : Align::left);
  }
  for (const json::value& item : rows) {
    std::vector<std::string> cells;
    cells.reserve(columns.size());
    for (const Column& column : columns) cells.push_back(cell_of(item, column));
    table.add_row(std::move(cells));
  }
  say(table.text());
}

}  // namespace

void say(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  if (!line.ends_with('\n')) std::fputc('\n', stdout);
}

std::string text_of(const json::value& object, std::string_view name) {
  const json::value* const value = member(object, name);
  return value == nullptr || value->is_null() ? std::string() : plain_text(*value);
}

std::string cell_of(const json::value& object, const Column& column) {
  const json::value* const value = member(object, column.field);
  if (value == nullptr || value->is_null()) return column.form == Column::Form::yes ? "" : "-";
  switch (column.form) {
    case Column::Form::usd: {
      const auto amount = parse_usd(plain_text(*value));
      return amount ? to_display(*amount) : plain_text(*value);
    }
    case Column::Form::moment:
      return minute_text(plain_text(*value));
    case Column::Form::share: {
      const double share = value->is_number() ? value->to_number<double>() : 0;
      return fmt::format("{:.0f} %", share * 100);
    }
    case Column::Form::yes:
      return value->is_bool() && value->get_bool() ? "yes" : "";
    case Column::Form::plain:
      break;
  }
  return plain_text(*value);
}

Outcome<Session::Said> Session::ask(std::string_view method, std::string_view target,
                                    std::string body) {
  auto answer = client_.call(method, target, std::move(body));
  if (!answer) return std::unexpected(answer.error());
  if (answer->status >= 400) return refused(sentence_of(*answer));
  json::error_code error;
  json::value value = json::parse(answer->body, error);
  if (error) {
    return refused("the server's answer is no JSON; is it Claviger that listens there?");
  }
  return Said{.text = std::move(answer->body), .value = std::move(value)};
}

Outcome<void> Session::show_list(const Said& said, const std::vector<Column>& columns,
                                 std::string_view empty) const {
  if (as_json) {
    say(said.text);
    return {};
  }
  const json::value* const data = member(said.value, "data");
  if (data == nullptr || !data->is_array()) {
    return refused(
        "the server's answer has another form than this program knows; use the "
        "server's own version");
  }
  if (data->get_array().empty()) {
    say(empty);
    return {};
  }
  say_table(data->get_array(), columns);
  return {};
}

void Session::show_part(const json::value& object, std::string_view name,
                        const std::vector<Column>& columns) const {
  const json::array* const list = list_in(object, name);
  if (list == nullptr) return;
  say("");
  say_table(*list, columns);
}

const json::array* list_in(const json::value& object, std::string_view name) {
  const json::value* const list = member(object, name);
  if (list == nullptr || !list->is_array() || list->get_array().empty()) return nullptr;
  return &list->get_array();
}

void say_lines(const json::array* texts, std::string_view title) {
  if (texts == nullptr) return;
  say(fmt::format("\n{}", title));
  for (const json::value& line : *texts) {
    if (line.is_string()) say(fmt::format("  {}", printable(std::string_view(line.get_string()))));
  }
}

Outcome<void> Session::show_object(const Said& said, const std::vector<Column>& columns) const {
  if (as_json) {
    say(said.text);
    return {};
  }
  std::size_t width = 0;
  for (const Column& column : columns) width = std::max(width, column.title.size());
  for (const Column& column : columns) {
    say(fmt::format("{:<{}}  {}", column.title, width, printable(cell_of(said.value, column))));
  }
  return {};
}

Outcome<void> Session::show(const Said& said, std::string_view sentence) const {
  say(as_json ? std::string_view(said.text) : sentence);
  return {};
}

}  // namespace claviger::cli
