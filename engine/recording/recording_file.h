#pragma once
/// Saving and loading recordings (.hmmrec). The format is specified in FORMAT.md beside this file: little-endian,
/// a magic and version, a section table, zstd-compressed columns with checksums. Reading never trusts a length: sizes are
/// checked against the file and against each other before anything is allocated.

#include <filesystem>
#include <functional>
#include <span>

#include "engine/base/proceed.h"
#include "engine/base/result.h"
#include "engine/recording/recording.h"

namespace hmmscope {

class RecordingFile {
 public:
  static constexpr uint64_t default_limit = uint64_t{8} << 30;

  /// As every output is written (engine/base/output_file.h): a failure leaves an existing file as it was.
  static Result<void> save(const Recording& recording, const std::filesystem::path& path);
  static Result<std::vector<uint8_t>> to_bytes(const Recording& recording);
  static Result<Recording> load(const std::filesystem::path& path);
  /// `name` appears in errors. A file that would need more than about `limit` bytes of memory, or whose runs cover
  /// more than `limit` words, is refused. `proceed` is asked with the writes read; the error is "cancelled" when it
  /// said no.
  static Result<Recording> from_bytes(std::span<const uint8_t> bytes, std::string_view name,
                                      uint64_t limit = default_limit, const Proceed& proceed = {});
  static bool is_recording(std::span<const uint8_t> first_bytes);
};

}  // namespace hmmscope
