#include "net/http/write.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "net/http/characters.h"

namespace claviger::net::http {
namespace {

bool is_writable_value(std::string_view value) {
  if (value.empty()) return true;
  if (is_blank(value.front()) || is_blank(value.back())) return false;
  const char* const end = value.data() + value.size();
  return skip_field_value(value.data(), end) == end;
}

void put_two_digits(char* at, unsigned value) {
  at[0] = static_cast<char>('0' + value / 10);
  at[1] = static_cast<char>('0' + value % 10);
}

}  // namespace

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 102:
      return "Processing";
    case 103:
      return "Early Hints";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 203:
      return "Non-Authoritative Information";
    case 204:
      return "No Content";
    case 205:
      return "Reset Content";
    case 206:
      return "Partial Content";
    case 300:
      return "Multiple Choices";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 407:
      return "Proxy Authentication Required";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 423:
      return "Locked";
    case 424:
      return "Failed Dependency";
    case 425:
      return "Too Early";
    case 426:
      return "Upgrade Required";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 451:
      return "Unavailable For Legal Reasons";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    case 508:
      return "Loop Detected";
    case 511:
      return "Network Authentication Required";
    default:
      return "Unknown";
  }
}

bool HeadWriter::response(int status) {
  if (status < 100 || status > 999) return refuse();
  has_start_line_ = true;
  if (status == 200) {
    out_.append("HTTP/1.1 200 OK\r\n");
    return true;
  }
  char digits[3];
  digits[0] = static_cast<char>('0' + status / 100);
  put_two_digits(digits + 1, static_cast<unsigned>(status % 100));
  out_.append("HTTP/1.1 ").append(digits, 3).append(" ");
  out_.append(reason_phrase(status)).append("\r\n");
  return true;
}

bool HeadWriter::request(std::string_view method, std::string_view target) {
  return request(method, target, {});
}

bool HeadWriter::request(std::string_view method, std::string_view target,
                         std::string_view more_target) {
  if (!is_token(method) || (target.empty() && more_target.empty()) || !is_target_text(target) ||
      !is_target_text(more_target)) {
    return refuse();
  }
  has_start_line_ = true;
  out_.append(method).append(" ").append(target).append(more_target).append(" HTTP/1.1\r\n");
  return true;
}

bool HeadWriter::line(std::string_view name, std::string_view value) {
  if (!is_writable_value(value)) return refuse();
  // One growth and plain copies: a dozen of these are written for every request.
  const std::size_t begin = out_.size();
  const std::size_t end = begin + name.size() + value.size() + 4;
  out_.resize_and_overwrite(end, [&](char* text, std::size_t /*at_least_end*/) {
    char* at = std::copy_n(name.data(), name.size(), text + begin);
    *at++ = ':';
    *at++ = ' ';
    at = std::copy_n(value.data(), value.size(), at);
    *at++ = '\r';
    *at++ = '\n';
    return end;
  });
  return true;
}

bool HeadWriter::outside_header(std::string_view name, std::string_view value) {
  return is_token(name) ? line(name, value) : refuse();
}

bool HeadWriter::header(HeaderName name, std::uint64_t value) {
  std::array<char, 20> digits;
  const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  return line(name.text(), std::string_view(digits.data(), written.ptr));
}

bool HeadWriter::finish() {
  if (was_refused_ || !has_start_line_) {
    out_.resize(begin_);
    return false;
  }
  out_.append("\r\n");
  return true;
}

std::array<char, kHttpDateBytes> http_date(WallTime time) {
  using std::chrono::sys_days;
  constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  constexpr WallTime kFirst = sys_days(std::chrono::year(0) / 1 / 1);
  constexpr WallTime kLast = sys_days(std::chrono::year(9999) / 12 / 31) + std::chrono::hours(23) +
                             std::chrono::minutes(59) + std::chrono::seconds(59);
  time = std::clamp(time, kFirst, kLast);

  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));

  std::array<char, kHttpDateBytes> text;
  std::ranges::copy(std::string_view("ddd, 00 mmm 0000 00:00:00 GMT"), text.begin());
  std::ranges::copy(kDays.substr(std::chrono::weekday(day).c_encoding() * 3, 3), text.data());
  put_two_digits(text.data() + 5, static_cast<unsigned>(date.day()));
  std::ranges::copy(kMonths.substr((static_cast<unsigned>(date.month()) - 1) * 3, 3),
                    text.data() + 8);
  put_two_digits(text.data() + 12, year / 100);
  put_two_digits(text.data() + 14, year % 100);
  put_two_digits(text.data() + 17, static_cast<unsigned>(clock.hours().count()));
  put_two_digits(text.data() + 20, static_cast<unsigned>(clock.minutes().count()));
  put_two_digits(text.data() + 23, static_cast<unsigned>(clock.seconds().count()));
  return text;
}

std::string_view DateLine::at(WallTime now) {
  const std::int64_t second =
      std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  if (second != second_) {
    second_ = second;
    const auto date = http_date(now);
    std::ranges::copy(kName, line_.begin());
    std::ranges::copy(date, line_.begin() + kName.size());
    line_[line_.size() - 2] = '\r';
    line_[line_.size() - 1] = '\n';
  }
  return {line_.data(), line_.size()};
}

}  // namespace claviger::net::http
