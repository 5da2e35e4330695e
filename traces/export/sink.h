#pragma once
/// Where an export goes: bytes in order. A sink remembers a failure and swallows what follows it; finish()
/// tells.
///
/// Ownership: the caller's. Threads: one.

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "engine/base/output_file.h"
#include "engine/base/result.h"

namespace hmmscope::traces {

class Sink {
 public:
  virtual ~Sink() = default;
  virtual void write(std::string_view bytes) = 0;
};

class StringSink final : public Sink {
 public:
  void write(std::string_view bytes) override { text.append(bytes); }
  std::string text;
};

/// A file, written as every output is (engine/base/output_file.h): a failure leaves an existing one as it was. The path
/// "-" is standard output.
class FileSink final : public Sink {
 public:
  static Result<std::unique_ptr<FileSink>> create(const std::filesystem::path& path);

  void write(std::string_view bytes) override;
  Result<void> finish();

 private:
  explicit FileSink(std::unique_ptr<OutputFile> file) : file_(std::move(file)) {}

  std::unique_ptr<OutputFile> file_;   ///< nullptr: standard output
  int error_ = 0;                      ///< errno of standard output's first failure
};

}  // namespace hmmscope::traces
