#pragma once
/// A file that a command or the window writes: the one place that decides what may be written over.
///
/// The bytes go into a file of a fresh name beside it, which takes its place at finish(): a failure leaves an existing
/// file as it was. Behind a link the file it points to is written, not the link; an existing file keeps its mode.
/// Whatever is no regular file (a directory, a device, a pipe) is refused, as it would be replaced by one.
///
/// Ownership: the caller's. Threads: one.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "engine/base/result.h"

namespace hmmscope {

class OutputFile {
 public:
  static Result<std::unique_ptr<OutputFile>> create(const std::filesystem::path& path);
  /// Without finish() nothing has happened.
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Remembers a failure and swallows what follows it; finish() tells.
  void write(std::string_view bytes);
  Result<void> finish();

 private:
  OutputFile(std::filesystem::path path, std::filesystem::path target, std::filesystem::path beside, int descriptor)
      : path_(std::move(path)), target_(std::move(target)), beside_(std::move(beside)), descriptor_(descriptor) {}

  std::filesystem::path path_, target_, beside_;
  int descriptor_;
  int error_ = 0;   ///< errno of the first failure
};

/// Writes all of a file.
Result<void> write_output_file(const std::filesystem::path& path, std::span<const uint8_t> bytes);

/// Error when `output` is the file `input` itself ("-" is standard input), by whatever name: what was read would be lost.
Result<void> check_not_input(const std::filesystem::path& output, const std::filesystem::path& input);

}  // namespace hmmscope
