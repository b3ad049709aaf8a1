#pragma once

/// What the input of a request holds beside text, as far as its bytes show: the numbers that
/// providers' formulas for pictures, sound and documents take (tokenize/part_cost.h). Every
/// dialect's reader fills it in; whoever bounds a cost needs to know no dialect.
///
/// A reader that meets something it cannot describe here counts it in `unseen`: then only the
/// model's context limit bounds the input. That is always right, and never tight.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace claviger::exchange {

/// How closely a picture is to be looked at, by OpenAI's names. Where a dialect has no such
/// field it stays `automatic`, which a formula takes as the dearest.
enum class ImageDetail : std::uint8_t { automatic, low, high, original };

/// In pixels, as its own header says. 0 × 0 where that cannot be seen: a URL, a format that we
/// do not read, a damaged file. Then a formula takes its maximum.
struct InputImage {
  std::uint32_t width_px = 0;
  std::uint32_t height_px = 0;
  ImageDetail detail = ImageDetail::automatic;
  friend bool operator==(const InputImage&, const InputImage&) = default;
};

struct InputParts {
  /// So many pictures are described; from there on they count as unseen.
  static constexpr std::size_t images_max = 256;

  std::vector<InputImage> images;
  /// Of all sound, an upper bound from its bytes and format.
  std::int64_t audio_ms_max = 0;
  std::int64_t audio_count = 0;
  /// PDFs whose bytes are in the request. How many pages they have is not asked of them: pages
  /// hide in compressed streams, so a formula takes the most that its provider accepts.
  std::int64_t documents = 0;
  /// Parts whose content or cost we do not see: file ids, cached content, URLs of anything but
  /// pictures, and whatever comes next.
  std::int64_t unseen = 0;
  /// Bytes of the body that are a picture, sound or document in base64, and no text.
  std::int64_t attached_bytes = 0;
  std::int64_t messages = 0;
  std::int64_t tools = 0;  ///< Descriptions of tools that the caller runs.

  void add_image(InputImage image) {
    if (images.size() < images_max) {
      images.push_back(image);
    } else {
      ++unseen;
    }
  }
  /// Text and nothing else: its bytes bound it.
  bool is_text() const {
    return images.empty() && audio_count == 0 && documents == 0 && unseen == 0;
  }
  friend bool operator==(const InputParts&, const InputParts&) = default;
};

/// What a picture in base64 is, by its first bytes and its header; nothing is decoded. Reads
/// PNG, JPEG, GIF and WebP; 0 × 0 for all else. White space inside the base64 is passed over.
/// A JPEG whose header does not come within the first image_header_bytes_max is not searched
/// further.
InputImage image_in_base64(std::string_view base64, ImageDetail detail);

/// The same for `data:image/png;base64,…`; anything else is a picture that we do not see.
/// `attached_bytes` gets the length of the base64, and 0 where there is none.
InputImage image_at_url(std::string_view url, ImageDetail detail, std::int64_t& attached_bytes);

/// Enough for a JPEG with an embedded preview and colour profile, which come before its size.
inline constexpr std::size_t image_header_bytes_max = 512 * 1024;

/// The longest that sound of so many base64 bytes can last: WAV by its header, MP3 at the least
/// bit rate of its format (8 kbit/s, ISO/IEC 13818-3). -1 where its format does not say.
std::int64_t audio_ms_max_in_base64(std::string_view base64, std::string_view format);

}  // namespace claviger::exchange
