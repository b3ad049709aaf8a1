#include "budget/journal_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

namespace claviger::budget {
namespace {

constexpr std::string_view kPrefix = "journal-";
constexpr std::string_view kUnfinished = ".new";
constexpr std::size_t kDigits = 16;

std::string reason(int error) {
  if (error == ENOSPC || error == EDQUOT) return "the disk is full; make room on it";
  if (error == EACCES || error == EPERM) return "permission denied; give it to the server's user";
  return std::strerror(error);
}

std::unexpected<std::string> failure(std::string_view what, std::string_view path, int error) {
  return std::unexpected(fmt::format("cannot {} {}: {}", what, path, reason(error)));
}

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  int get() const { return value_; }
  int release() { return std::exchange(value_, -1); }
  bool is_open() const { return value_ >= 0; }

 private:
  int value_;
};

std::string path_in(const std::string& folder, std::string_view name) {
  return fmt::format("{}/{}", folder, name);
}

/// Makes names in a folder durable: a file's own fsync does not cover its name.
FileResult<void> sync_folder(const std::string& folder) {
  const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!descriptor.is_open() || ::fsync(descriptor.get()) != 0) {
    return failure("sync the folder", folder, errno);
  }
  return {};
}

std::optional<std::uint64_t> number_of(std::string_view name) {
  if (name.size() != kPrefix.size() + kDigits || !name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return number;
}

FileResult<std::string> read_whole(const std::string& path) {
  const Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!descriptor.is_open()) return failure("open", path, errno);
  struct stat status{};
  if (::fstat(descriptor.get(), &status) != 0) return failure("read", path, errno);
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t got = 0;
  while (got < bytes.size()) {
    const ssize_t more = ::read(descriptor.get(), bytes.data() + got, bytes.size() - got);
    if (more < 0 && errno == EINTR) continue;
    if (more < 0) return failure("read", path, errno);
    if (more == 0) break;
    got += static_cast<std::size_t>(more);
  }
  bytes.resize(got);
  return bytes;
}

std::size_t page_bytes() {
  return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

ConstSlotBytes slot_at(const std::string& bytes, std::size_t at) {
  return ConstSlotBytes(reinterpret_cast<const std::byte*>(bytes.data()) + at, kSlotBytes);
}

}  // namespace

std::string segment_name(std::uint64_t segment) {
  return fmt::format("{}{:016}", kPrefix, segment);
}

FileResult<FolderLock> FolderLock::take(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return failure("make the folder", folder, errno);
  }
  Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!descriptor.is_open()) return failure("open the folder", folder, errno);
  if (::flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return std::unexpected(fmt::format(
          "the journal in {} is in use by another process; stop that server first", folder));
    }
    return failure("lock the folder", folder, errno);
  }
  return FolderLock(descriptor.release());
}

FolderLock::FolderLock(FolderLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

FileResult<std::unique_ptr<JournalFile>> JournalFile::create(const std::string& folder,
                                                             const SegmentHead& head) {
  const std::string path = path_in(folder, segment_name(head.segment));
  const std::string passing = path + std::string(kUnfinished);
  const std::size_t bytes = kSlotBytes * (head.slots + 1);
  Descriptor descriptor(
      ::open(passing.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!descriptor.is_open()) return failure("make the journal file", passing, errno);
  const auto give_up = [&passing](std::string_view what, int error) {
    ::unlink(passing.c_str());
    return failure(what, passing, error);
  };
  // It returns its error instead of setting errno.
  if (const int error = ::posix_fallocate(descriptor.get(), 0, static_cast<off_t>(bytes));
      error != 0) {
    return give_up("allocate the journal file", error);
  }
  const auto head_bytes = write_head(head);
  if (::pwrite(descriptor.get(), head_bytes.data(), head_bytes.size(), 0) !=
      static_cast<ssize_t>(head_bytes.size())) {
    return give_up("write the journal file", errno);
  }
  if (::fsync(descriptor.get()) != 0) return give_up("sync the journal file", errno);
  void* const mapped =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.get(), 0);
  if (mapped == MAP_FAILED) return give_up("map the journal file", errno);
  std::unique_ptr<JournalFile> file(
      new JournalFile(head, path, descriptor.release(), static_cast<std::byte*>(mapped)));
  if (::rename(passing.c_str(), path.c_str()) != 0) {
    return give_up("name the journal file", errno);
  }
  if (const auto synced = sync_folder(folder); !synced) return std::unexpected(synced.error());
  return file;
}

JournalFile::~JournalFile() {
  ::munmap(base_, kSlotBytes * (head_.slots + 1));
  ::close(descriptor_);
}

FileResult<void> JournalFile::sync() {
  if (::fdatasync(descriptor_) != 0) return failure("sync the journal file", path_, errno);
  return {};
}

void JournalFile::prepare_memory(std::uint64_t first, std::uint64_t last) {
  const std::size_t page = page_bytes();
  const std::size_t begin = kSlotBytes * (first + 1) / page * page;
  const std::size_t end = kSlotBytes * (std::min(last, head_.slots) + 1);
  // Advice, since Linux 5.14: elsewhere each page faults when it is first written.
  if (begin < end) ::madvise(base_ + begin, end - begin, MADV_POPULATE_WRITE);
}

void JournalFile::release_memory_before(std::uint64_t index) {
  const std::size_t bytes = kSlotBytes * (index + 1) / page_bytes() * page_bytes();
  // Advice: where the kernel does not take it, memory is used a little longer.
  if (bytes > 0) ::madvise(base_, bytes, MADV_DONTNEED);
}

FileResult<std::vector<std::uint64_t>> list_segments(const std::string& folder) {
  DIR* const directory = ::opendir(folder.c_str());
  if (directory == nullptr) return failure("read the folder", folder, errno);
  std::vector<std::uint64_t> numbers;
  std::vector<std::string> unfinished;
  while (const dirent* const entry = ::readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (const auto number = number_of(name)) {
      numbers.push_back(*number);
    } else if (name.ends_with(kUnfinished) &&
               number_of(name.substr(0, name.size() - kUnfinished.size()))) {
      unfinished.emplace_back(name);
    }
  }
  ::closedir(directory);
  for (const std::string& name : unfinished) ::unlink(path_in(folder, name).c_str());
  std::ranges::sort(numbers);
  return numbers;
}

FileResult<SegmentContents> read_segment(const std::string& folder, std::uint64_t segment,
                                         std::uint64_t first) {
  const std::string path = path_in(folder, segment_name(segment));
  const auto bytes = read_whole(path);
  if (!bytes) return std::unexpected(bytes.error());
  const auto head =
      bytes->size() < kSlotBytes
          ? std::expected<SegmentHead, HeadError>(std::unexpected(HeadError::no_journal))
          : read_head(slot_at(*bytes, 0));
  if (!head && head.error() == HeadError::other_version) {
    return std::unexpected(fmt::format(
        "the journal file {} was written by another version of Claviger; start that version "
        "once and stop it in good order, then this one",
        path));
  }
  if (!head || head->segment != segment) {
    return std::unexpected(fmt::format(
        "the journal file {} is damaged: it holds settled spend that the database does not "
        "have yet; restore it, or the whole home, from a backup",
        path));
  }
  SegmentContents contents{.items = {}, .slots = head->slots, .torn = 0};
  for (std::uint64_t slot = first; slot < head->slots; ++slot) {
    const std::size_t at = kSlotBytes * (slot + 1);
    if (at + kSlotBytes > bytes->size()) break;
    const auto record = read_slot(slot_at(*bytes, at), {segment, slot});
    if (record) {
      contents.items.push_back({slot, *record});
    } else if (record.error() == SlotError::torn) {
      ++contents.torn;
    }
  }
  return contents;
}

FileResult<void> remove_segment(const std::string& folder, std::uint64_t segment) {
  const std::string path = path_in(folder, segment_name(segment));
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failure("remove", path, errno);
  return {};
}

}  // namespace claviger::budget
