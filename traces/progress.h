#pragma once
/// Real progress and cancellation for work off the UI thread. Both are called from the working thread.

#include <atomic>
#include <cstdint>
#include <functional>
#include <string_view>

namespace hmmscope::traces {

struct Progress {
  /// Units: bytes for reading and unpacking (total 0 while unknown), steps or events after. May be empty.
  std::function<void(std::string_view stage, uint64_t done, uint64_t total)> report;
  /// Polled; may be null. Work that finds it set ends with the error "cancelled".
  const std::atomic<bool>* cancel = nullptr;

  bool cancelled() const { return cancel != nullptr && cancel->load(std::memory_order_relaxed); }
  void at(std::string_view stage, uint64_t done, uint64_t total) const {
    if (report) report(stage, done, total);
  }
};

}  // namespace hmmscope::traces
