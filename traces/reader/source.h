#pragma once
/// A trace format: recognises its bytes and reads them into a Trace. A new format is one file that implements
/// TraceSource and one line in trace_sources().

#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "engine/base/result.h"
#include "traces/progress.h"
#include "traces/reader/bytes.h"
#include "traces/reader/read_watch.h"
#include "traces/reader/trace.h"

namespace hmmscope::traces {

inline constexpr uint64_t head_size = 64u << 10;   ///< bytes of a file that its format is recognised by

class TraceSource {
 public:
  virtual ~TraceSource() = default;
  virtual std::string_view name() const = 0;
  /// How sure the format is that `head` (the first bytes, at most head_size, already unpacked) is its own: 0 = not.
  virtual int recognise(std::string_view head) const = 0;
  /// Reads everything, and hands out prefixes as `watch` asks for them. `bytes` is kept by the decoder. Errors name `name`
  /// and the line or offset.
  virtual Result<Trace::Parts> read(std::shared_ptr<const Bytes> bytes, std::string_view name, ReadWatch& watch) const = 0;
};

/// Every format, in the order they are asked.
std::span<const TraceSource* const> trace_sources();
/// The format that is surest of `head`; nullptr when none knows it.
const TraceSource* find_trace_source(std::string_view head);

/// Opens, unpacks (xz, gz, zstd by content), recognises and reads. A meta.json beside the file fills what the trace
/// does not say itself (kernel, patch, configuration).
Result<std::shared_ptr<const Trace>> open_trace(const std::filesystem::path& path, const ReadOptions& options = {});
/// As open_trace for a file that is already in memory or mapped; `path` names it and says where meta.json would be.
Result<std::shared_ptr<const Trace>> open_trace(std::shared_ptr<const Bytes> file, const std::filesystem::path& path,
                                                const ReadOptions& options = {});
/// The same for bytes in memory (packed or plain), which are copied when plain. `name` appears in errors.
Result<std::shared_ptr<const Trace>> read_trace(std::span<const uint8_t> bytes, std::string_view name,
                                                const ReadOptions& options = {});

}  // namespace hmmscope::traces
