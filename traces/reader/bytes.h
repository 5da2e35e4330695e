#pragma once
/// The bytes of a trace: a mapped file, or a buffer when the file was packed. Immutable after construction.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "traces/progress.h"

namespace hmmscope::traces {

/// Unpacked size above which a packed file is refused (a small file can unpack to terabytes).
inline constexpr uint64_t default_unpack_limit = uint64_t{4} << 30;

class Bytes {
 public:
  virtual ~Bytes() = default;
  std::string_view view() const { return view_; }

 protected:
  std::string_view view_;
};

enum class Packing : uint8_t { none, xz, gzip, zstd };
Packing detect_packing(std::string_view head);

/// Maps a large file read-only; a small one, a pipe or a /proc file is read into memory, so that rewriting it in place
/// does not change an open trace. Unpacks when the content says so.
Result<std::shared_ptr<const Bytes>> open_bytes(const std::filesystem::path& path, const Progress& progress = {},
                                                uint64_t unpack_limit = default_unpack_limit);
/// A copy of `bytes`, unpacked when packed.
Result<std::shared_ptr<const Bytes>> copy_bytes(std::span<const uint8_t> bytes, std::string_view name,
                                                const Progress& progress = {},
                                                uint64_t unpack_limit = default_unpack_limit);
/// Unpacks xz, gz or zstd. Errors: truncated or damaged data with its offset, or more than `limit` bytes.
Result<std::string> unpack(std::string_view packed, Packing packing, std::string_view name, const Progress& progress,
                           uint64_t limit = default_unpack_limit);

}  // namespace hmmscope::traces
