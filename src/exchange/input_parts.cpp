#include "exchange/input_parts.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string>

namespace claviger::exchange {
namespace {

constexpr std::uint8_t not_base64 = 0xFF;

constexpr std::array<std::uint8_t, 256> base64_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(not_base64);
  std::uint8_t next = 0;
  for (int c = 'A'; c <= 'Z'; ++c) values[static_cast<std::size_t>(c)] = next++;
  for (int c = 'a'; c <= 'z'; ++c) values[static_cast<std::size_t>(c)] = next++;
  for (int c = '0'; c <= '9'; ++c) values[static_cast<std::size_t>(c)] = next++;
  values['+'] = values['-'] = next++;
  values['/'] = values['_'] = next;
  return values;
}

/// The bytes behind base64, read forwards and no further than asked for. Once the text ends,
/// or is no base64, nothing more comes.
class Base64Reader {
 public:
  explicit Base64Reader(std::string_view text) : text_(text) {}

  std::optional<std::uint8_t> next() {
    static constexpr auto values = base64_values();
    while (bits_ < 8) {
      if (at_ == text_.size()) return std::nullopt;
      const char c = text_[at_++];
      if (c == '\n' || c == '\r' || c == ' ' || c == '\t') continue;
      const std::uint8_t value = values[static_cast<unsigned char>(c)];
      if (value == not_base64) {
        at_ = text_.size();
        return std::nullopt;
      }
      pending_ = (pending_ << 6 | value) & 0xFFFF;
      bits_ += 6;
    }
    bits_ -= 8;
    ++count_;
    return static_cast<std::uint8_t>(pending_ >> bits_);
  }

  /// False where fewer come.
  bool read(std::uint8_t* out, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) {
      const auto byte = next();
      if (!byte) return false;
      out[i] = *byte;
    }
    return true;
  }
  bool skip(std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) {
      if (!next()) return false;
    }
    return true;
  }
  std::size_t count() const { return count_; }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  std::uint32_t pending_ = 0;
  int bits_ = 0;
  std::size_t count_ = 0;
};

struct Size {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
};

std::uint32_t big_endian(const std::uint8_t* bytes, int count) {
  std::uint32_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | bytes[i];
  return value;
}
std::uint32_t little_endian(const std::uint8_t* bytes, int count) {
  std::uint32_t value = 0;
  for (int i = count; i-- > 0;) value = value << 8 | bytes[i];
  return value;
}

/// JPEG, ITU-T T.81 (1992), annex B: segments until the start of a frame, which has the size.
Size jpeg_size(Base64Reader& reader) {
  while (reader.count() < image_header_bytes_max) {
    auto marker = reader.next();
    if (!marker || *marker != 0xFF) return {};
    while (marker && *marker == 0xFF) marker = reader.next();  // Fill bytes.
    if (!marker) return {};
    const bool stands_alone = *marker == 0x01 || (*marker >= 0xD0 && *marker <= 0xD8);
    if (stands_alone) continue;
    if (*marker == 0xD9 || *marker == 0xDA) return {};  // Its end, or a scan without a frame.
    std::uint8_t length_bytes[2];
    if (!reader.read(length_bytes, 2)) return {};
    const std::uint32_t length = big_endian(length_bytes, 2);
    if (length < 2) return {};
    const bool is_frame =
        *marker >= 0xC0 && *marker <= 0xCF && *marker != 0xC4 && *marker != 0xC8 && *marker != 0xCC;
    if (is_frame) {
      std::uint8_t frame[5];  // Precision, height, width.
      if (!reader.read(frame, 5)) return {};
      return {.width = big_endian(frame + 3, 2), .height = big_endian(frame + 1, 2)};
    }
    if (!reader.skip(length - 2)) return {};
  }
  return {};
}

/// WebP container (https://developers.google.com/speed/webp/docs/riff_container, 2026-11);
/// `head` is the first 30 bytes.
Size webp_size(const std::uint8_t* head) {
  const std::string_view kind(reinterpret_cast<const char*>(head) + 12, 4);
  if (kind == "VP8X") {
    return {.width = little_endian(head + 24, 3) + 1, .height = little_endian(head + 27, 3) + 1};
  }
  if (kind == "VP8L" && head[20] == 0x2F) {
    const std::uint32_t bits = little_endian(head + 21, 4);
    return {.width = (bits & 0x3FFF) + 1, .height = (bits >> 14 & 0x3FFF) + 1};
  }
  if (kind == "VP8 " && head[23] == 0x9D && head[24] == 0x01 && head[25] == 0x2A) {
    return {.width = little_endian(head + 26, 2) & 0x3FFF,
            .height = little_endian(head + 28, 2) & 0x3FFF};
  }
  return {};
}

/// GIF89a (https://www.w3.org/Graphics/GIF/spec-gif89a.txt). Decoders enlarge the screen to the
/// first picture where that is larger, so its own header counts too.
Size gif_size(Base64Reader& reader, const std::uint8_t* head) {
  Size size{.width = little_endian(head + 6, 2), .height = little_endian(head + 8, 2)};
  std::uint8_t rest[3];  // Flags, background, aspect.
  if (!reader.read(rest, 3)) return {};
  const auto table_bytes = [](std::uint8_t flags) -> std::size_t {
    return (flags & 0x80) != 0 ? std::size_t{3} << ((flags & 7) + 1) : 0;
  };
  if (!reader.skip(table_bytes(rest[0]))) return {};
  while (reader.count() < image_header_bytes_max) {
    const auto block = reader.next();
    if (!block) return {};
    if (*block == 0x2C) {  // A picture: left, top, width, height.
      std::uint8_t place[8];
      if (!reader.read(place, 8)) return {};
      size.width = std::max(size.width, little_endian(place, 2) + little_endian(place + 4, 2));
      size.height =
          std::max(size.height, little_endian(place + 2, 2) + little_endian(place + 6, 2));
      return size;
    }
    if (*block != 0x21 || !reader.next()) return {};  // An extension, and its label.
    for (auto length = reader.next(); !length || *length != 0; length = reader.next()) {
      if (!length || !reader.skip(*length)) return {};
    }
  }
  return {};
}

/// PNG (https://www.w3.org/TR/png-3/) and those above.
Size size_of(std::string_view base64) {
  Base64Reader reader(base64);
  std::uint8_t head[30] = {};
  if (!reader.read(head, 2)) return {};
  if (head[0] == 0xFF && head[1] == 0xD8) return jpeg_size(reader);
  if (!reader.read(head + 2, 8)) return {};
  const std::string_view text(reinterpret_cast<const char*>(head), sizeof head);
  if (text.starts_with("GIF87a") || text.starts_with("GIF89a")) return gif_size(reader, head);
  if (!reader.read(head + 10, 20)) return {};
  if (text.starts_with("\x89PNG\r\n\x1A\n") && text.substr(12, 4) == "IHDR") {
    return {.width = big_endian(head + 16, 4), .height = big_endian(head + 20, 4)};
  }
  if (text.starts_with("RIFF") && text.substr(8, 4) == "WEBP") return webp_size(head);
  return {};
}

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

/// WAVE: RIFF with a `fmt ` chunk first (Multimedia Programming Interface 1.0, 1991). A file
/// that puts another chunk there, or holds anything but plain samples, does not say how long it
/// is.
std::int64_t wav_ms_max(std::string_view base64, std::int64_t bytes) {
  Base64Reader reader(base64);
  std::uint8_t head[36];
  if (!reader.read(head, sizeof head)) return -1;
  const std::string_view text(reinterpret_cast<const char*>(head), sizeof head);
  if (!text.starts_with("RIFF") || text.substr(8, 8) != "WAVEfmt ") return -1;
  const std::uint32_t coding = little_endian(head + 20, 2);
  const bool is_plain = coding == 1 || coding == 3 || coding == 0xFFFE;
  if (!is_plain) return -1;
  // The rate of bytes is stated, and follows from the rate of samples in two ways: the slowest
  // is believed.
  const std::uint64_t channels = little_endian(head + 22, 2);
  const std::uint64_t samples_per_second = little_endian(head + 24, 4);
  const std::uint64_t stated = little_endian(head + 28, 4);
  const std::uint64_t by_block = samples_per_second * little_endian(head + 32, 2);
  const std::uint64_t by_bits = samples_per_second * channels * little_endian(head + 34, 2) / 8;
  const std::uint64_t bytes_per_second = std::min({stated, by_block, by_bits});
  if (bytes_per_second == 0) return -1;
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(bytes) * 1000 / bytes_per_second) + 1;
}

}  // namespace

InputImage image_in_base64(std::string_view base64, ImageDetail detail) {
  const Size size = size_of(base64);
  if (size.width == 0 || size.height == 0) return {.detail = detail};
  return {.width_px = size.width, .height_px = size.height, .detail = detail};
}

InputImage image_at_url(std::string_view url, ImageDetail detail, std::int64_t& attached_bytes) {
  attached_bytes = 0;
  const std::size_t comma = url.substr(0, 256).find(',');
  if (comma == std::string_view::npos) return {.detail = detail};
  std::string head(url.substr(0, comma));
  std::ranges::transform(head, head.begin(), lower);
  if (!head.starts_with("data:") || !head.ends_with(";base64")) return {.detail = detail};
  const std::string_view base64 = url.substr(comma + 1);
  attached_bytes = static_cast<std::int64_t>(base64.size());
  return image_in_base64(base64, detail);
}

std::int64_t audio_ms_max_in_base64(std::string_view base64, std::string_view format) {
  const auto bytes = static_cast<std::int64_t>(base64.size() / 4 * 3 + 3);
  if (format == "wav") return wav_ms_max(base64, bytes);
  if (format == "mp3") return bytes;  // 8 kbit/s are a byte a millisecond.
  return -1;
}

}  // namespace claviger::exchange
