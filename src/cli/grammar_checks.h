#pragma once

/// What an argument must be, checked before anything is asked or changed. Each check returns ""
/// or what is wrong and what to write instead.

#include <cstdint>
#include <string>

namespace claviger::cli {

std::string check_amount(const std::string& text);
std::string check_correction_kind(const std::string& text);
std::string check_count(const std::string& text, std::int64_t least, std::int64_t most);
std::string check_rate(const std::string& text);
std::string check_scope(const std::string& text);
std::string check_period(const std::string& text);
std::string check_policy(const std::string& text);
std::string check_rotation(const std::string& text);
std::string check_warnings(const std::string& text);
std::string check_grouping(const std::string& text);
/// A date, a time, or a span such as 30d.
std::string check_moment(const std::string& text);
std::string check_request_id(const std::string& text);
std::string check_base_url(const std::string& text);
std::string check_listen(const std::string& text);
std::string check_variable(const std::string& text);
/// `prefix` is that of the id's kind, e.g. "key".
std::string check_row_id(const std::string& text, const std::string& prefix);

}  // namespace claviger::cli
