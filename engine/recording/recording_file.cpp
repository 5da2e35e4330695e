#include "engine/recording/recording_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "engine/base/output_file.h"
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

 private:
  int fd_;
};

tl::unexpected<Error> failed(std::string_view what, const std::filesystem::path& path, int code) {
  Error error{fmt::format("{}: {}", what, std::generic_category().message(code)), path.string(), 0, 0, false};
  return fail(std::move(error));
}

}  // namespace

Result<void> RecordingFile::save(const Recording& recording, const std::filesystem::path& path) {
  auto bytes = to_bytes(recording);
  if (!bytes) return tl::unexpected(bytes.error());
  return write_output_file(path, *bytes);
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
