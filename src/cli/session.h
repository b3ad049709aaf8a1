#pragma once

/// What every command shares: where the server is, and whether people or programs read the
/// output.

#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cli/cli.h"
#include "cli/control_client.h"
#include "cli/failure.h"
#include "cli/table.h"

namespace claviger::cli {

namespace json = boost::json;

/// One column of a list: its title, the field that it shows, and how.
struct Column {
  enum class Form : std::uint8_t {
    plain,   ///< Texts, numbers, lists; `-` for null.
    usd,     ///< A decimal amount as `$1.20`.
    moment,  ///< A time to the minute.
    yes,     ///< `yes` or nothing.
    share,   ///< 0 to 1 as `93 %`.
  };
  std::string_view title;
  std::string_view field;
  Form form = Form::plain;
};

class Session {
 public:
  Session(const Clock& clock, const ServerPlace& place, bool as_json, const Hooks& hooks)
      : clock(clock), place(place), as_json(as_json), hooks(hooks), client_(clock, place) {}

  const Clock& clock;
  const ServerPlace place;
  const bool as_json;
  const Hooks& hooks;

  struct Said {
    std::string text;  ///< Exactly as it came.
    json::value value;
  };
  /// Asks the server. A refusal becomes a failure with its message and remedy.
  Outcome<Said> ask(std::string_view method, std::string_view target, std::string body = {});

  /// With --json exactly what the server said; else a table of `data`, or `empty`.
  Outcome<void> show_list(const Said& said, const std::vector<Column>& columns,
                          std::string_view empty) const;
  /// The member `name` of an object as a table behind an empty line; nothing where it is no list,
  /// or nothing is in it. For people: what programs read has been said as a whole.
  void show_part(const json::value& object, std::string_view name,
                 const std::vector<Column>& columns) const;
  /// With --json exactly what the server said; else one line for each column.
  Outcome<void> show_object(const Said& said, const std::vector<Column>& columns) const;
  /// With --json exactly what the server said; else `sentence`.
  Outcome<void> show(const Said& said, std::string_view sentence) const;

 private:
  ControlClient client_;
};

/// A member as text: "" where it is absent or null.
std::string text_of(const json::value& object, std::string_view name);
/// A member as people read it.
std::string cell_of(const json::value& object, const Column& column);
/// The list `name` of an object; null where it is none, or nothing is in it.
const json::array* list_in(const json::value& object, std::string_view name);
/// The texts of such a list behind an empty line and a title, a line each; nothing for null.
void say_lines(const json::array* texts, std::string_view title);
/// To standard output, with a line's end.
void say(std::string_view line);

}  // namespace claviger::cli
