#include "deliver/mail_message.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>

#include "exchange/json_writer.h"

namespace claviger::deliver {
namespace {

/// RFC 5321, 4.5.3.1.
constexpr std::size_t kAddressBytesMax = 254;
constexpr std::size_t kLocalPartBytesMax = 64;
constexpr std::size_t kSubjectBytesMax = 160;
/// An encoded word has at most 75 characters, 12 of them around it: 45 bytes become 60.
constexpr std::size_t kEncodedWordBytesMax = 45;
/// 57 bytes become a line of 76 characters.
constexpr std::size_t kBase64LineBytes = 57;

std::string base64(std::string_view bytes) {
  std::string out(sodium_base64_ENCODED_LEN(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(out.data(), out.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  out.pop_back();
  return out;
}

bool is_printable_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 0x7F; });
}

/// A header's text: as it is, or as encoded words on lines of their own.
std::string encoded(std::string_view text) {
  if (is_printable_ascii(text)) return std::string(text);
  std::string out;
  while (!text.empty()) {
    std::string_view word = exchange::clipped(text, kEncodedWordBytesMax);
    if (word.empty()) word = text.substr(0, kEncodedWordBytesMax);
    text.remove_prefix(word.size());
    out += fmt::format("{}=?UTF-8?B?{}?=", out.empty() ? "" : "\r\n ", base64(word));
  }
  return out;
}

std::string subject_of(const alert::Message& message) {
  std::string_view text = message.summary;
  std::string subject = "[Claviger] ";
  const std::string_view start = exchange::clipped(text, kSubjectBytesMax);
  subject += start;
  if (start.size() < text.size()) subject += "…";
  return subject;
}

std::string body_of(const alert::Message& message) {
  std::string body =
      fmt::format("{}\r\n\r\nAlert: {}\r\nType:  {}\r\nTime:  {}\r\n", message.summary, message.id,
                  message.type, alert::to_words(message.at));
  if (message.type != alert::kTestType) {
    body += fmt::format(
        "\r\nMore:          claviger alert show {}\r\nIt is in hand: claviger alert ack {}\r\n",
        message.id, message.id);
  }
  return body;
}

/// `Thu, 26 Nov 2026 14:00:00 +0000`
std::string mail_date(WallTime time) {
  constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  return fmt::format(
      "{}, {:02} {} {:04} {:02}:{:02}:{:02} +0000", kDays[std::chrono::weekday(day).c_encoding()],
      static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
      static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
      clock.seconds().count());
}

}  // namespace

bool is_mail_address(std::string_view address) {
  const std::size_t at = address.find('@');
  if (at == 0 || at == std::string_view::npos || at > kLocalPartBytesMax) return false;
  const std::string_view domain = address.substr(at + 1);
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return address.size() <= kAddressBytesMax && !domain.empty() && !domain.starts_with('.') &&
         !domain.ends_with('.') &&
         std::ranges::all_of(address.substr(0, at),
                             [&](char c) {
                               return is_plain(c) ||
                                      std::string_view("!#$%&'*+-/=?^_`{|}~.").find(c) !=
                                          std::string_view::npos;
                             }) &&
         std::ranges::all_of(domain, [&](char c) { return is_plain(c) || c == '-' || c == '.'; });
}

std::string write_mail(std::string_view from, std::string_view to, const alert::Message& message,
                       WallTime now) {
  const std::string_view domain = from.substr(from.find('@') + 1);
  std::string mail = fmt::format(
      "From: Claviger <{}>\r\nTo: <{}>\r\nSubject: {}\r\nDate: {}\r\nMessage-ID: <{}@{}>\r\n"
      "X-Claviger-Alert: {}\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
      "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n",
      from, to, encoded(subject_of(message)), mail_date(now), message.id, domain, message.id);
  const std::string body = body_of(message);
  for (std::size_t start = 0; start < body.size(); start += kBase64LineBytes) {
    mail += base64(std::string_view(body).substr(start, kBase64LineBytes));
    mail += "\r\n";
  }
  return mail;
}

}  // namespace claviger::deliver
