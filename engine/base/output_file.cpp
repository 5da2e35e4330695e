#include "engine/base/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

namespace hmmscope {
namespace {

constexpr int most_links = 40;       // as the kernel's MAXSYMLINKS
constexpr int most_names = 1000;     // tried for a file beside the output
constexpr mode_t mode_bits = 07777;

tl::unexpected<Error> output_error(const std::filesystem::path& path, int code) {
  return fail(Error{"cannot be written: " + std::generic_category().message(code), path.string(), 0, 0, false});
}

/// What the links at the end of `path` point to, which need not be there.
std::filesystem::path behind_links(std::filesystem::path path) {
  for (int link = 0; link < most_links; ++link) {
    std::error_code error;
    const std::filesystem::path next = std::filesystem::read_symlink(path, error);
    if (error) break;
    path = next.is_absolute() ? next : path.parent_path() / next;
  }
  return path;
}

struct Beside {
  std::filesystem::path path;
  int descriptor = -1;
};

/// A new file in the directory of `target`. Its name does not grow with the other's, which may be as long as names get.
Beside new_file_beside(const std::filesystem::path& target) {
  static std::atomic<unsigned> made = 0;
  for (int k = 0; k < most_names; ++k) {
    Beside beside{target.parent_path() / fmt::format(".hmmscope-{}-{}.tmp", ::getpid(), ++made), -1};
    beside.descriptor = ::open(beside.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (beside.descriptor >= 0 || errno != EEXIST) return beside;
  }
  return {};
}

std::optional<struct stat> status_of_input(const std::filesystem::path& input) {
  struct stat status {};
  const int failed = input.native() == "-" ? ::fstat(STDIN_FILENO, &status) : ::stat(input.c_str(), &status);
  if (failed != 0) return std::nullopt;
  return status;
}

}  // namespace

Result<std::unique_ptr<OutputFile>> OutputFile::create(const std::filesystem::path& path) {
  struct stat status {};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (!exists && errno != ENOENT) return output_error(path, errno);
  if (exists && S_ISDIR(status.st_mode)) return fail(Error{"is a directory", path.string(), 0, 0, false});
  if (exists && !S_ISREG(status.st_mode))
    return fail(Error{"is not a regular file: name one to write to", path.string(), 0, 0, false});
  if (exists && ::access(path.c_str(), W_OK) != 0) return output_error(path, errno);
  std::filesystem::path target = behind_links(path);
  Beside beside = new_file_beside(target);
  if (beside.descriptor < 0) return output_error(path, errno);
  if (exists && ::fchmod(beside.descriptor, status.st_mode & mode_bits) != 0) {
    const int code = errno;
    ::close(beside.descriptor);
    ::unlink(beside.path.c_str());
    return output_error(path, code);
  }
  return std::unique_ptr<OutputFile>(new OutputFile(path, std::move(target), std::move(beside.path), beside.descriptor));
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!beside_.empty()) ::unlink(beside_.c_str());
}

void OutputFile::write(std::string_view bytes) {
  while (!bytes.empty() && error_ == 0) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) error_ = written < 0 ? errno : EIO;
    else bytes.remove_prefix(static_cast<size_t>(written));
  }
}

Result<void> OutputFile::finish() {
  if (error_ == 0 && ::fsync(descriptor_) != 0) error_ = errno;
  // Closing is where a network file system reports a failed write.
  if (::close(std::exchange(descriptor_, -1)) != 0 && error_ == 0) error_ = errno;
  if (error_ == 0 && ::rename(beside_.c_str(), target_.c_str()) != 0) error_ = errno;
  if (error_ != 0) return output_error(path_, error_);
  beside_.clear();
  return {};
}

Result<void> write_output_file(const std::filesystem::path& path, std::span<const uint8_t> bytes) {
  auto file = OutputFile::create(path);
  if (!file) return tl::unexpected(file.error());
  (*file)->write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return (*file)->finish();
}

Result<void> check_not_input(const std::filesystem::path& output, const std::filesystem::path& input) {
  struct stat written {};
  const auto read = status_of_input(input);
  if (!read || !S_ISREG(read->st_mode) || ::stat(output.c_str(), &written) != 0) return {};
  if (written.st_dev != read->st_dev || written.st_ino != read->st_ino) return {};
  return fail(Error{"is the file that is read: it would be lost; name another one to write to", output.string(), 0, 0, false});
}

}  // namespace hmmscope
