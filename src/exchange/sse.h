#pragma once

/// Server-sent events, as far as a relay needs them: where one event ends and what its data
/// is. Bytes are never copied or changed here; the stream's own framing is passed on.
/// Source: https://html.spec.whatwg.org/multipage/server-sent-events.html (2026-07).

#include <cstddef>
#include <string>
#include <string_view>

namespace claviger::exchange {

/// The length of the first whole event in `bytes`, its blank line included; 0 where it is not
/// whole yet. Lines end with LF, CR LF or CR; a CR at the very end is not an end yet, since
/// an LF may follow. Remembers nothing: pass the same start again with more bytes, and
/// `searched` (in/out) keeps the search linear.
std::size_t event_length(std::string_view bytes, std::size_t& searched);

/// The data of one whole event. Where it stands in one `data:` line, as it does at every
/// provider, the view is into `event`; otherwise the lines are joined in `joined`.
/// Empty for comments and events without data.
std::string_view event_data(std::string_view event, std::string& joined);

/// The event's type (`event:` line), empty where none was given.
std::string_view event_type(std::string_view event);

}  // namespace claviger::exchange
