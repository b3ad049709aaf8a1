#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "local/gguf.h"

namespace claviger::local {
namespace {

std::unexpected<GgufFailure> failure(GgufError error, std::string message) {
  return std::unexpected(GgufFailure{error, std::move(message)});
}

class FileSource final : public ByteSource {
 public:
  FileSource(int file, std::uint64_t size) : file_(file), size_(size) {}
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;
  ~FileSource() override { ::close(file_); }
  std::uint64_t size() const override { return size_; }
  std::size_t read(std::uint64_t offset, std::span<std::byte> out) override {
    for (;;) {
      const ssize_t got = ::pread(file_, out.data(), out.size(), static_cast<off_t>(offset));
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR) return 0;
    }
  }

 private:
  int file_;
  std::uint64_t size_;
};

std::unexpected<GgufFailure> unreadable(const std::filesystem::path& path, int error) {
  return failure(GgufError::unreadable,
                 fmt::format("{} cannot be opened: {}. Check the path and its permissions.",
                             path.string(), std::strerror(error)));
}

}  // namespace

std::expected<GgufHeader, GgufFailure> read_gguf_file(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a FIFO must not wait for whoever might write to it.
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return unreadable(path, errno);
  struct stat about{};
  if (::fstat(file, &about) != 0) {
    const int error = errno;
    ::close(file);
    return unreadable(path, error);
  }
  if (!S_ISREG(about.st_mode)) {
    ::close(file);
    return failure(GgufError::not_gguf,
                   fmt::format("{} is no file but {}. Give the .gguf file itself.", path.string(),
                               S_ISDIR(about.st_mode) ? "a folder" : "a device or pipe"));
  }
  FileSource source(file, static_cast<std::uint64_t>(about.st_size));
  auto header = read_gguf(source);
  if (!header) {
    header.error().message = fmt::format("{} {}.", path.string(), header.error().message);
  }
  return header;
}

std::string_view gguf_file_type_name(std::int64_t file_type) {
  // enum llama_ftype, include/llama.h of llama.cpp de3ff81 (2026-09-28).
  constexpr std::array<std::string_view, 42> names = {
      "F32",   "F16",     "Q4_0",   "Q4_1",   "",       "",        "",       "Q8_0",   "Q5_0",
      "Q5_1",  "Q2_K",    "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_K_S",  "Q4_K_M", "Q5_K_S", "Q5_K_M",
      "Q6_K",  "IQ2_XXS", "IQ2_XS", "Q2_K_S", "IQ3_XS", "IQ3_XXS", "IQ1_S",  "IQ4_NL", "IQ3_S",
      "IQ3_M", "IQ2_S",   "IQ2_M",  "IQ4_XS", "IQ1_M",  "BF16",    "",       "",       "",
      "TQ1_0", "TQ2_0",   "MXFP4",  "NVFP4",  "Q1_0",   "Q2_0"};
  if (file_type < 0 || file_type >= static_cast<std::int64_t>(names.size())) return "unknown";
  const std::string_view name = names[static_cast<std::size_t>(file_type)];
  return name.empty() ? "unknown" : name;
}

}  // namespace claviger::local
