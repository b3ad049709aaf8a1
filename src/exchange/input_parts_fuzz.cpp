/// Headers of pictures and sound from strangers: read without fear, within their bytes.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "exchange/input_parts.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace claviger::exchange;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const InputImage image = image_in_base64(text, ImageDetail::automatic);
  if ((image.width_px == 0) != (image.height_px == 0)) std::abort();
  std::int64_t attached = 0;
  image_at_url(text, ImageDetail::high, attached);
  if (attached < 0 || attached > static_cast<std::int64_t>(size)) std::abort();
  if (audio_ms_max_in_base64(text, "wav") < -1) std::abort();
  if (audio_ms_max_in_base64(text, "mp3") < static_cast<std::int64_t>(size / 4 * 3)) std::abort();
  return 0;
}
