#include "exchange/input_parts.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace claviger::exchange {
namespace {

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t value = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      value = value << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    }
    for (int shift = 18; shift >= 0; shift -= 6) out += digits[value >> shift & 63];
  }
  if (bytes.size() % 3 != 0)
    out.replace(out.size() - (3 - bytes.size() % 3), 3, "==", 3 - bytes.size() % 3);
  return out;
}

template <std::size_t N>
std::string bytes(const char (&text)[N]) {
  return {text, N - 1};
}

const std::string png =
    bytes("\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\x04\0\0\0\x03\0\x08\x06\0\0\0\1\2\3\4");
/// An application segment, a quantisation table, fill bytes, and a progressive frame.
const std::string jpeg = bytes(
    "\xFF\xD8\xFF\xE0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xFF\xDB\0\x05\1\2\3\xFF\xFF\xC2\0\x0B"
    "\x08\x01\xE0\x02\x80\x01\x01\x11\0");
const std::string webp_lossy =
    bytes("RIFF\x24\0\0\0WEBPVP8 \x18\0\0\0\x30\x01\0\x9D\x01\x2A\x40\x01\xF0\0\0\0\0\0");
const std::string webp_extended =
    bytes("RIFF\x24\0\0\0WEBPVP8X\x0A\0\0\0\x10\0\0\0\x7F\x07\0\x37\x04\0\0\0\0\0");
const std::string gif =
    bytes("GIF89a\x0A\0\x14\0\x80\0\0\1\2\3\4\5\6\x21\xF9\x04\0\0\0\0\0\x2C\5\0\0\0\x64\0\x0A\0\0");

InputImage seen(std::string_view file) {
  return image_in_base64(base64(file), ImageDetail::automatic);
}

InputImage sized(std::uint32_t width, std::uint32_t height) {
  return {.width_px = width, .height_px = height};
}

TEST(InputImage, IsAsLargeAsItsHeaderSays) {
  EXPECT_EQ(seen(png), sized(1024, 768));
  EXPECT_EQ(seen(jpeg), sized(640, 480));
  EXPECT_EQ(seen(webp_lossy), sized(320, 240));
  EXPECT_EQ(seen(webp_extended), sized(1920, 1080));
}

TEST(InputImage, AGifIsAsLargeAsItsFirstPicture) {
  EXPECT_EQ(seen(gif), sized(105, 20));
}

TEST(InputImage, AnythingElseIsNotSeen) {
  for (const std::string_view file :
       {"", "\xFF", "\xFF\xD8", "GIF89a", "BM..................................",
        "<svg xmlns='http://www.w3.org/2000/svg'/>             "}) {
    EXPECT_EQ(seen(file), InputImage{}) << file;
  }
  EXPECT_EQ(image_in_base64("!!!!", ImageDetail::low), InputImage{.detail = ImageDetail::low});
}

TEST(InputImage, ACutHeaderIsNotSeen) {
  for (const std::string* file : {&png, &jpeg, &webp_lossy, &webp_extended, &gif}) {
    for (std::size_t length = 0; length < 20; ++length) {
      EXPECT_EQ(seen(std::string_view(*file).substr(0, length)), InputImage{}) << length;
    }
  }
}

TEST(InputImage, ADataUrlIsReadAndAnyOtherIsNotFollowed) {
  std::int64_t attached = -1;
  const std::string inside = base64(png);
  EXPECT_EQ(image_at_url("data:image/png;base64," + inside, ImageDetail::high, attached),
            (InputImage{.width_px = 1024, .height_px = 768, .detail = ImageDetail::high}));
  EXPECT_EQ(attached, static_cast<std::int64_t>(inside.size()));
  EXPECT_EQ(image_at_url("DATA:image/PNG;Base64," + inside, ImageDetail::automatic, attached),
            sized(1024, 768));
  for (const std::string_view url : {"https://example.com/a.png", "data:image/png,xyz", "", ","}) {
    EXPECT_EQ(image_at_url(url, ImageDetail::automatic, attached), InputImage{}) << url;
    EXPECT_EQ(attached, 0) << url;
  }
}

TEST(InputAudio, LastsAtMostAsLongAsItsFormatAllows) {
  // 16 kHz, one channel of 16 bits: 32,000 bytes a second.
  const std::string wav =
      bytes("RIFF\0\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80\x3E\0\0\0\x7D\0\0\2\0\x10\0");
  std::string second = wav + std::string(32'000 - wav.size(), '\0');
  const std::int64_t ms = audio_ms_max_in_base64(base64(second), "wav");
  EXPECT_GE(ms, 1000);
  EXPECT_LE(ms, 1002);
  EXPECT_GE(audio_ms_max_in_base64(base64(std::string(8000, 'x')), "mp3"), 8000);
  // A header that claims a faster rate than its samples have is not believed.
  second[28] = '\x7F', second[29] = '\x7F', second[30] = '\x7F';
  EXPECT_GE(audio_ms_max_in_base64(base64(second), "wav"), 1000);
  EXPECT_EQ(audio_ms_max_in_base64("UklGRg==", "wav"), -1);
  EXPECT_EQ(audio_ms_max_in_base64(base64(second), "flac"), -1);
}

}  // namespace
}  // namespace claviger::exchange
