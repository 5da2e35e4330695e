#include "traces/reader/bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <string>

#include "traces/reader/grow_buffer.h"

namespace hmmscope::traces {
namespace {

// Below this a copy is as quick as a mapping, and immune to the file being cut while it is open (which would end in
// SIGBUS).
constexpr uint64_t map_from = 16u << 20;
constexpr uint64_t read_block = 1u << 20;
constexpr uint64_t stream_limit = uint64_t{4} << 30;
constexpr uint64_t grown_meanwhile = 16u << 20;   // of a file that somebody still writes to

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

class MappedFile final : public Bytes {
 public:
  MappedFile(void* address, size_t size) : address_(address), size_(size) {
    view_ = {static_cast<const char*>(address), size};
  }
  ~MappedFile() override { ::munmap(address_, size_); }

 private:
  void* address_;
  size_t size_;
};

/// Exactly as large as its bytes, so that tools which watch the heap see a read behind them.
class CopiedBytes final : public Bytes {
 public:
  /// nullptr when memory is out.
  static std::shared_ptr<const Bytes> of(std::string_view bytes) {
    std::unique_ptr<char[]> data(new (std::nothrow) char[bytes.size()]);
    if (data == nullptr) return nullptr;
    std::copy(bytes.begin(), bytes.end(), data.get());
    return std::make_shared<const CopiedBytes>(std::move(data), bytes.size());
  }
  CopiedBytes(std::unique_ptr<char[]> data, size_t size) : data_(std::move(data)) { view_ = {data_.get(), size}; }

 private:
  std::unique_ptr<char[]> data_;
};

Error system_error(std::string_view name, std::string_view what) {
  return Error{std::string(what) + ": " + std::strerror(errno), std::string(name), 0, 0, false};
}

Result<std::shared_ptr<const Bytes>> read_stream(int fd, const std::string& name, uint64_t expected,
                                                 const Progress& progress) {
  // One byte more shows that a file of the expected size has ended.
  auto buffer = std::make_shared<GrowBuffer>(expected != 0 ? expected + grown_meanwhile : stream_limit);
  while (true) {
    if (progress.cancelled()) return fail("cancelled");
    if (!buffer->reserve_more(1)) return fail(Error::at_offset(name, buffer->size(), "more data than can be held in memory"));
    const uint64_t want = buffer->room() < read_block ? buffer->room() : read_block;
    const ssize_t got = ::read(fd, buffer->tail(), want);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error(name, "cannot be read"));
    if (got == 0) break;
    buffer->added(static_cast<uint64_t>(got));
    progress.at("reading", buffer->size(), expected);
  }
  buffer->finish();
  return buffer;
}

/// Bytes of standard input that somebody has read already are no part of it.
bool at_its_beginning(int fd) { return ::lseek(fd, 0, SEEK_CUR) <= 0; }

Result<std::shared_ptr<const Bytes>> open_descriptor(int fd, const std::string& name, const Progress& progress) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return fail(system_error(name, "cannot be examined"));
  if (S_ISDIR(status.st_mode)) return fail(Error{"is a directory, not a file", name, 0, 0, false});
  const uint64_t size = S_ISREG(status.st_mode) ? static_cast<uint64_t>(status.st_size) : 0;
  if (size < map_from || !at_its_beginning(fd)) return read_stream(fd, name, size, progress);
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (address == MAP_FAILED) return fail(system_error(name, "cannot be mapped"));
  ::madvise(address, size, MADV_SEQUENTIAL);
  return std::make_shared<MappedFile>(address, size);
}

}  // namespace

bool is_standard_input(const std::filesystem::path& path) { return path.native() == "-"; }

std::string display_name(const std::filesystem::path& path) {
  return is_standard_input(path) ? "standard input" : path.string();
}

Result<std::shared_ptr<const Bytes>> open_bytes(const std::filesystem::path& path, const Progress& progress) {
  const std::string name = display_name(path);
  if (is_standard_input(path)) {
    if (::isatty(STDIN_FILENO) != 0) {
      return fail(Error{"is a terminal: name a file, or pipe one in", name, 0, 0, false});
    }
    return open_descriptor(STDIN_FILENO, name, progress);
  }
  const Descriptor fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return fail(system_error(name, "cannot be opened"));
  return open_descriptor(fd.get(), name, progress);
}

Result<std::shared_ptr<const Bytes>> copy_bytes(std::string_view bytes, std::string_view name) {
  auto copy = CopiedBytes::of(bytes);
  if (copy == nullptr) return fail(std::string(name) + ": not enough memory");
  return copy;
}

}  // namespace hmmscope::traces
