#pragma once
/// The bytes of a trace: a mapped file, or a buffer when the file was packed. Immutable after construction.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "traces/progress.h"

namespace hmmscope::traces {

class Bytes {
 public:
  virtual ~Bytes() = default;
  Bytes() = default;
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;
  std::string_view view() const { return view_; }

 protected:
  std::string_view view_;
};

enum class Packing : uint8_t { none, xz, gzip, zstd };
Packing detect_packing(std::string_view head);

/// The unpacked size above which a packed file of that size is refused: a file of a megabyte can unpack to terabytes,
/// a trace text does not. At least 256 MiB, at most 4 GiB, in between 200 times the packed size.
uint64_t unpack_limit(uint64_t packed_size);

/// "-" names standard input (a file of that name is "./-").
bool is_standard_input(const std::filesystem::path& path);
/// What messages call a file: "standard input", or its path.
std::string display_name(const std::filesystem::path& path);

/// Maps a large file read-only; a small one, a pipe or a /proc file is read into memory, so that rewriting it in place
/// does not change an open trace. The file as it is: nothing is unpacked. Standard input is read to its end, and refused
/// when it is a terminal.
Result<std::shared_ptr<const Bytes>> open_bytes(const std::filesystem::path& path, const Progress& progress = {});
/// A copy of `bytes`.
Result<std::shared_ptr<const Bytes>> copy_bytes(std::string_view bytes, std::string_view name);

/// Unpacks xz, gzip or zstd, several streams behind each other included. Errors: truncated or damaged data with its
/// offset in the packed bytes, more than `limit` bytes (0 = unpack_limit()), cancelled.
Result<std::shared_ptr<const Bytes>> unpack(std::string_view packed, Packing packing, std::string_view name,
                                            const Progress& progress = {}, uint64_t limit = 0);
/// The first bytes that `packed` unpacks to, at most `size`; shorter when the data ends or is damaged.
Result<std::shared_ptr<const Bytes>> unpack_head(std::string_view packed, Packing packing, std::string_view name,
                                                 uint64_t size);

}  // namespace hmmscope::traces
