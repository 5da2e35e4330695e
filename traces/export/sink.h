#pragma once
/// Where an export goes: bytes in order. A sink remembers a failure and swallows what follows it; finish()
/// tells.
///
/// Ownership: the caller's. Threads: one.

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

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

/// Writes beside the file and renames at finish(), so that a failure leaves an existing file as it was. The
/// path "-" is standard output.
class FileSink final : public Sink {
 public:
  static Result<std::unique_ptr<FileSink>> create(const std::filesystem::path& path);
  ~FileSink() override;
  FileSink(const FileSink&) = delete;
  FileSink& operator=(const FileSink&) = delete;

  void write(std::string_view bytes) override;
  Result<void> finish();

 private:
  FileSink(std::filesystem::path path, std::filesystem::path part, std::FILE* file)
      : path_(std::move(path)), part_(std::move(part)), file_(file) {}
  bool is_standard_output() const { return part_.empty(); }

  std::filesystem::path path_, part_;
  std::FILE* file_;
  bool failed_ = false;
  int error_ = 0;
};

}  // namespace hmmscope::traces
