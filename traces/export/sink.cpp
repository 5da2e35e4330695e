#include "traces/export/sink.h"

#include <cerrno>
#include <cstring>

namespace hmmscope::traces {
namespace {

Error system_error(const std::filesystem::path& path, int number) {
  return Error{std::string("cannot be written: ") + std::strerror(number), path.string(), 0, 0, false};
}

}  // namespace

Result<std::unique_ptr<FileSink>> FileSink::create(const std::filesystem::path& path) {
  if (path.native() == "-") return std::unique_ptr<FileSink>(new FileSink("standard output", {}, stdout));
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    return fail(Error{"is a directory", path.string(), 0, 0, false});
  std::filesystem::path part = path;
  part += ".part";
  std::FILE* file = std::fopen(part.c_str(), "wb");
  if (file == nullptr) return fail(system_error(path, errno));
  return std::unique_ptr<FileSink>(new FileSink(path, std::move(part), file));
}

FileSink::~FileSink() {
  if (is_standard_output() || file_ == nullptr) return;
  std::fclose(file_);
  std::error_code ignored;
  std::filesystem::remove(part_, ignored);
}

void FileSink::write(std::string_view bytes) {
  if (failed_ || bytes.empty()) return;
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size()) return;
  failed_ = true;
  error_ = errno;
}

Result<void> FileSink::finish() {
  if (std::fflush(file_) != 0 && !failed_) {
    failed_ = true;
    error_ = errno;
  }
  if (failed_) return fail(system_error(path_, error_));
  if (is_standard_output()) return {};
  const bool closed = std::fclose(file_) == 0;
  const int number = errno;
  file_ = nullptr;
  std::error_code error;
  if (closed) std::filesystem::rename(part_, path_, error);
  if (closed && !error) return {};
  std::error_code ignored;
  std::filesystem::remove(part_, ignored);
  return fail(system_error(path_, closed ? error.value() : number));
}

}  // namespace hmmscope::traces
