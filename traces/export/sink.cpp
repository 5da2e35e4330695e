#include "traces/export/sink.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace hmmscope::traces {

Result<std::unique_ptr<FileSink>> FileSink::create(const std::filesystem::path& path) {
  if (path.native() == "-") return std::unique_ptr<FileSink>(new FileSink(nullptr));
  auto file = OutputFile::create(path);
  if (!file) return tl::unexpected(file.error());
  return std::unique_ptr<FileSink>(new FileSink(std::move(*file)));
}

void FileSink::write(std::string_view bytes) {
  if (file_ != nullptr) return file_->write(bytes);
  if (error_ != 0 || bytes.empty()) return;
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size()) error_ = errno;
}

Result<void> FileSink::finish() {
  if (file_ != nullptr) return file_->finish();
  if (std::fflush(stdout) != 0 && error_ == 0) error_ = errno;
  if (error_ == 0) return {};
  return fail(Error{std::string("cannot be written: ") + std::strerror(error_), "standard output", 0, 0, false});
}

}  // namespace hmmscope::traces
