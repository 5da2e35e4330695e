#include "engine/recording/recording_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "engine/recording/file_format.h"

namespace hmmscope {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  /// Closing is where a network file system reports a failed write.
  bool close() { return ::close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

tl::unexpected<Error> failed(std::string_view what, const std::filesystem::path& path, int code) {
  Error error{fmt::format("{}: {}", what, std::generic_category().message(code)), path.string(), 0, 0, false};
  return fail(std::move(error));
}

bool write_all(int fd, std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return true;
}

Result<void> write_file(const std::filesystem::path& path, std::span<const uint8_t> bytes) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!file.ok()) return failed("cannot be created", path, errno);
  if (!write_all(file.get(), bytes) || ::fsync(file.get()) != 0 || !file.close()) {
    return failed("cannot be written", path, errno);
  }
  return {};
}

}  // namespace

Result<void> RecordingFile::save(const Recording& recording, const std::filesystem::path& path) {
  auto bytes = to_bytes(recording);
  if (!bytes) return tl::unexpected(bytes.error());

  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    return fail(Error{"is not a regular file; choose another name to save to", path.string(), 0, 0, false});
  }
  // Behind a link, the file it points to is replaced, not the link.
  std::filesystem::path target =
      std::filesystem::exists(status) ? std::filesystem::canonical(path, ignored) : path;
  if (target.empty()) target = path;
  std::filesystem::path beside = target;
  beside += fmt::format(".{}.tmp", ::getpid());
  if (auto written = write_file(beside, *bytes); !written) {
    ::unlink(beside.c_str());
    written.error().file = target.string();  // not the file that nobody asked for
    return written;
  }
  if (::rename(beside.c_str(), target.c_str()) != 0) {
    const int code = errno;
    ::unlink(beside.c_str());
    return failed("cannot be replaced", target, code);
  }
  return {};
}

Result<Recording> RecordingFile::load(const std::filesystem::path& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.ok()) return failed("cannot be opened", path, errno);
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) return failed("cannot be read", path, errno);
  if (!S_ISREG(facts.st_mode)) return fail(Error{"is not a regular file", path.string(), 0, 0, false});
  const auto size = static_cast<uint64_t>(facts.st_size);
  if (size > default_limit) {
    return fail(Error{fmt::format("is larger than the {} bytes a recording may have", default_limit),
                      path.string(), 0, 0, false});
  }
  std::vector<uint8_t> bytes(size);
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("cannot be read", path, errno);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  bytes.resize(done);
  return from_bytes(bytes, path.string());
}

bool RecordingFile::is_recording(std::span<const uint8_t> first_bytes) {
  const auto& magic = file_format::magic;
  return first_bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), first_bytes.begin());
}

}  // namespace hmmscope
